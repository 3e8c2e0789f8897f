#!/usr/bin/env python3
"""Writes the pictures in images/ beside this file: python3 make_images.py (needs Pillow 9 or newer).

What NAME.png and NAME.jpg decode to stands in NAME.rgb.png, and what torchvision's
Resize(r) and CenterCrop(c), written out below, make of it in NAME.rgb.resize<r>.crop<c>.png.
"""
from pathlib import Path

from PIL import Image

FOLDER = Path(__file__).parent / "images"


def pattern(width, height):
    image = Image.new("RGB", (width, height))
    for y in range(height):
        for x in range(width):
            image.putpixel((x, y), ((x * x + 3 * y) % 256, (x * 7 + y * 11) % 256, (x * y * 5) % 256))
    return image


def smooth(width, height):
    """Few high frequencies, so that JPEG decoders differ little."""
    image = Image.new("RGB", (width, height))
    for y in range(height):
        for x in range(width):
            image.putpixel((x, y), (x * 255 // width, y * 255 // height, (x + y) * 255 // (width + height)))
    return image


def resize(image, size):
    width, height = image.size
    short, long = min(width, height), max(width, height)
    other = int(size * long / short)
    return image.resize((size, other) if width <= height else (other, size), Image.BILINEAR)


def crop(image, size):
    width, height = image.size
    top = int(round((height - size) / 2.0))
    left = int(round((width - size) / 2.0))
    return image.crop((left, top, left + size, top + size))


def write(name, image, **options):
    image.save(FOLDER / name, **options)
    decoded = Image.open(FOLDER / name).convert("RGB")
    decoded.save(FOLDER / (Path(name).stem + ".rgb.png"))
    return decoded


def main():
    FOLDER.mkdir(exist_ok=True)
    for name, size, framings in [
        ("wide", (37, 23), [(16, None), (40, None), (23, None), (None, 16), (20, 15)]),
        ("tall", (23, 37), [(16, None), (5, 5)]),
    ]:
        decoded = write(name + ".png", pattern(*size))
        for r, c in framings:
            result, ending = decoded, ""
            if r:
                result, ending = resize(result, r), f".resize{r}"
            if c:
                result, ending = crop(result, c), ending + f".crop{c}"
            result.save(FOLDER / f"{name}.rgb{ending}.png")

    picture = smooth(48, 32)
    write("colour.jpg", picture, quality=90)
    write("progressive.jpg", picture, quality=90, progressive=True)
    write("grey.jpg", picture.convert("L"), quality=90)
    write("cmyk.jpg", picture.convert("CMYK"), quality=90)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned by 90 degrees
    write("turned.jpg", picture, quality=90, exif=exif)
    write("lossless.webp", picture, lossless=True)
    write("lossy.webp", picture, quality=80)
    write("palette.png", picture.quantize(32))
    write("transparent.png", Image.merge("RGBA", (*picture.split(), picture.split()[0])))


if __name__ == "__main__":
    main()
