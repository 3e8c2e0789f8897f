// Figures that tell their numbers under the pointer and by keyboard. Without this script the page has
// the same figures as pictures and their numbers as tables. Texts of the data are set as text, never
// as HTML.
"use strict";
(() => {
  const runs = JSON.parse(document.getElementById("data").textContent);
  // Okabe and Ito, without yellow.
  const colours = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7f7f7f"];

  const element = (tag, text, attributes = {}) => {
    const made = document.createElement(tag);
    if (text) made.textContent = text;
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    return made;
  };
  const short = (value) => typeof value === "number" && Number.isFinite(value) ? String(Number(value.toPrecision(6))) : "none";

  // What makes an element one that arrow keys walk through.
  const walkable = (title) => ({ tabindex: "0", role: "application", "aria-label": title + ". Arrow keys tell its numbers." });

  // Arrow keys go over rows of places of these lengths; `show` marks a place, `tell` says what is there.
  function walk(frame, said, lengths, show, tell) {
    let at = null;
    const go = (row, column) => {
      if (lengths().length === 0) return;
      const i = Math.max(0, Math.min(lengths().length - 1, row));
      at = [i, Math.max(0, Math.min(lengths()[i] - 1, column))];
      said.textContent = tell(...at);
      show(...at);
    };
    frame.addEventListener("keydown", (event) => {
      const [i, j] = at ?? [0, 0];
      const next = { ArrowRight: [i, j + 1], ArrowLeft: [i, j - 1], ArrowDown: [i + 1, j], ArrowUp: [i - 1, j], Home: [i, 0], End: [i, Infinity] }[event.key];
      if (!next || event.target !== frame) return;
      event.preventDefault();
      // The first key goes to the first place.
      go(...(at || event.key === "End" ? next : [0, 0]));
    });
    return go;
  }

  // Draws a figure when it comes near the window or gets the focus: a page may have many of them.
  const waiting = new Map();
  const seen = (frame) => {
    const draw = waiting.get(frame);
    waiting.delete(frame);
    observer.unobserve(frame);
    draw?.();
  };
  const observer = new IntersectionObserver((entries) => {
    for (const entry of entries) if (entry.isIntersecting) seen(entry.target);
  }, { rootMargin: "800px" });
  addEventListener("beforeprint", () => { for (const frame of [...waiting.keys()]) seen(frame); });
  function whenSeen(frame, draw) {
    waiting.set(frame, draw);
    observer.observe(frame);
    frame.addEventListener("focusin", () => seen(frame), { once: true });
  }

  // ---- Curves ----------------------------------------------------------------------------------

  // A curve is {label, x, y, low, high, steps, points}; null is a gap.
  const pointsOf = (curve) => curve.x.map((x, k) => ({
    x: x ?? NaN, y: curve.y[k] ?? NaN, low: curve.low?.[k] ?? NaN, high: curve.high?.[k] ?? NaN, label: curve.label || "curve",
  }));

  function drawCurves(figure, curves, width, marked, tell) {
    const named = (k) => figure.y_names?.[k] ?? "";
    const axis = (title, log) => ({ label: title, tickFormat: "~g", ...(log ? { type: "log" } : {}) });
    const rows = figure.y_names?.length > 0;
    const labels = [...new Set(curves.flat().map((point) => point.label))];
    // A folder's figure says which curves share a colour or a dash. Elsewhere colours go by label, and
    // beyond the last one the first ones come again, dashed.
    const dashes = ["none", "9 4", "2 3", "12 3 2 3", "5 2"];
    const byLabel = (k) => labels.indexOf(curves[k][0]?.label);
    const colour = (k) => colours[(figure.series[k].colour ?? byLabel(k)) % colours.length];
    const dash = (k) => dashes[(figure.series[k].dash ?? Math.floor(byLabel(k) / colours.length)) % dashes.length];
    const first = (label) => curves.findIndex((curve) => curve[0]?.label === label);
    const clipped = figure.y_range && !rows;
    const drawn = element("div", "", { class: "live" });
    if (labels.length > 1 || labels[0] !== "curve") drawn.append(legend(labels, (label) => colour(first(label)), (label) => dash(first(label))));
    drawn.append(Plot.plot({
      width, height: rows ? 90 + 22 * figure.y_names.length : Math.min(420, width * 0.6), marginLeft: rows ? Math.min(260, width / 2) : 60, marginBottom: 44, grid: true,
      style: { background: "transparent", fontSize: "13px" },
      x: { ...axis(figure.x_title, figure.log_x), labelAnchor: "center", labelOffset: 38 },
      y: { ...axis(figure.y_title, figure.log_y), ...(clipped ? { domain: figure.y_range } : {}), ...(rows ? { reverse: true, ticks: figure.y_names.map((_, k) => k), tickFormat: named } : {}) },
      marks: [
        ...curves.flatMap((points, k) => [
          ...(points.some((point) => Number.isFinite(point.low)) ? [Plot.areaY(points, { x: "x", y1: "low", y2: "high", fill: colour(k), fillOpacity: 0.15, curve: figure.series[k].steps ? "step-after" : "linear", clip: true })] : []),
          figure.series[k].points ? Plot.dot(points, { x: "x", y: "y", stroke: colour(k) })
            : Plot.line(points, { x: "x", y: "y", stroke: colour(k), strokeWidth: 2, strokeDasharray: dash(k), clip: true, curve: figure.series[k].steps ? "step-after" : "linear" }),
        ]),
        ...(figure.references ?? []).flatMap((line) => [
          Plot.ruleY([line.y], { stroke: "#7f7f7f", strokeDasharray: "4 3" }),
          Plot.text([line], { y: "y", text: "label", frameAnchor: "right", dy: -6, fill: "currentColor" }),
        ]),
        ...(marked ? [Plot.dot([marked], { x: "x", y: "y", r: 6, stroke: "currentColor", strokeWidth: 2 })] : []),
        Plot.tip(curves.flat(), Plot.pointer({ x: "x", y: "y", title: tell })),
      ],
    }));
    return drawn;
  }

  // Colour and dash of each label.
  function legend(labels, colour, dash) {
    const list = element("p", "", { class: "legend" });
    for (const label of labels) {
      const entry = element("span");
      const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
      const line = document.createElementNS("http://www.w3.org/2000/svg", "line");
      for (const [name, value] of [["width", 36], ["height", 10]]) svg.setAttribute(name, value);
      for (const [name, value] of [["x1", 0], ["x2", 36], ["y1", 5], ["y2", 5], ["stroke", colour(label)], ["stroke-width", 3], ["stroke-dasharray", dash(label)]]) line.setAttribute(name, value);
      svg.append(line);
      entry.append(svg, label);
      list.append(entry);
    }
    return list;
  }

  // Draws into `drawing` what `figure()` gives, at first and when `redraw` is called.
  function interactiveCurves(frame, drawing, said, figure) {
    let curves = [];
    const tell = (point) => {
      const { x_title: x, y_title: y, y_names: names } = figure();
      const band = Number.isFinite(point.low) ? `, band ${short(point.low)} to ${short(point.high)}` : "";
      return `${point.label}: ${x} ${short(point.x)}, ${names?.[point.y] ?? `${y} ${short(point.y)}`}${band}`;
    };
    const draw = (marked) => {
      const width = Math.max(280, Math.min(900, frame.clientWidth - 24));
      const drawn = drawCurves(figure(), curves, width, marked, tell);
      // The frame's name, the keyboard and the table say more than its paths.
      for (const svg of drawn.querySelectorAll("svg")) svg.setAttribute("aria-hidden", "true");
      drawing.querySelector(".live")?.remove();
      drawing.append(drawn);
      drawing.classList.add("drawn"); // the picture is for paper
    };
    walk(frame, said, () => curves.map((curve) => curve.length), (i, j) => draw(curves[i][j]), (i, j) => tell(curves[i][j]));
    const redraw = () => { curves = figure().series.map(pointsOf); said.textContent = ""; draw(); };
    whenSeen(frame, redraw);
    return redraw;
  }

  // ---- Charts of a whole run, from its tables -----------------------------------------------------

  const charts = {
    curves: {
      title: "What is left as directions are ablated", x: "ablated", y: ["top1", "loss"], low: "top1_low", high: "top1_high",
      series: ["basis", "order"], apart: ["draw"], dash: ["order"], y_range: { top1: [0, 1] },
    },
    spectrum: { title: "Variance explained", x: "count", y: ["cumulative", "explained"], series: ["basis"], apart: ["draw"], dash: [] },
    convergence: { title: "Convergence", x: "iteration", y: ["excess", "value"], series: ["solver"], apart: ["start"], dash: [], log: ["excess"] },
  };

  // The rows of a table that the page offers to save.
  function records(article, name) {
    const link = [...article.querySelectorAll("a.download")].find((one) => one.download === name + ".csv");
    if (!link) return [];
    const [head, body] = link.getAttribute("href").split(/,(.*)/s);
    const text = head.endsWith(";base64") ? new TextDecoder().decode(Uint8Array.from(atob(body), (c) => c.charCodeAt(0))) : decodeURIComponent(body);
    const [columns, ...rows] = d3.csvParseRows(text);  // csvParse would need eval
    const { x, y, low, high } = charts[name];
    const numeric = new Set([x, ...y, low, high]); // a tap may be named "0.10"
    return rows.map((row) => Object.fromEntries(columns.map((column, i) => [column, numeric.has(column) ? parseFloat(row[i]) : row[i]])));
  }

  const menu = (name, values, change) => {
    const label = element("label", name + " ");
    const select = element("select");
    for (const value of values) select.append(element("option", String(value), { value }));
    select.addEventListener("change", () => change(select.value));
    label.append(select);
    return label;
  };

  // Boxes: what is ticked off is not drawn.
  const boxes = (name, values, change) => {
    const set = element("fieldset");
    const chosen = new Set(values);
    set.append(element("legend", name));
    for (const value of values) {
      const label = element("label", " " + value);
      const box = element("input", "", { type: "checkbox", checked: "" });
      box.addEventListener("change", () => { box.checked ? chosen.add(value) : chosen.delete(value); change(chosen); });
      label.prepend(box);
      set.append(label);
    }
    return set;
  };

  function chart(name, rows, place, apart) {
    const steps = new Set(rows.map((row) => `${row.run} ${row.step}`)).size > new Set(rows.map((row) => row.run)).size;
    const how = { ...charts[name], series: [...apart, ...(steps ? ["step"] : []), ...charts[name].series] };
    const frame = element("section", "", { class: "chart", ...walkable(how.title) });
    const taps = [...new Set(rows.map((row) => row.tap))];
    const measures = how.y.filter((key) => rows.some((row) => Number.isFinite(row[key])));
    const text = (row, keys) => keys.filter((key) => row[key] !== undefined).map((key) => key === "step" ? `step ${row[key]}` : row[key]).join(", ");
    const labels = [...new Set(rows.map((row) => text(row, how.series)))];
    // The same colour and dash, whatever is ticked off.
    const solid = how.series.filter((key) => !how.dash.includes(key));
    const colourOf = [...new Set(rows.map((row) => text(row, solid)))];
    const dashOf = [...new Set(rows.map((row) => text(row, how.dash)))];
    let tap = taps[0];
    let measure = measures[0];
    let chosen = new Set(labels);
    const figure = () => {
      const groups = new Map();
      for (const row of rows) {
        if (row.tap !== tap || !Number.isFinite(row[measure]) || (how.log?.includes(measure) && row[measure] <= 0) || !chosen.has(text(row, how.series))) continue;
        const key = text(row, [...how.series, ...how.apart]);
        if (!groups.has(key)) groups.set(key, []);
        groups.get(key).push(row);
      }
      const banded = how.low && measure === "top1";
      const series = [...groups.values()].map((own) => ({
        label: text(own[0], how.series), colour: colourOf.indexOf(text(own[0], solid)),
        dash: dashOf.indexOf(text(own[0], how.dash)) + Math.floor(colourOf.indexOf(text(own[0], solid)) / colours.length), x: own.map((row) => row[how.x]), y: own.map((row) => row[measure]),
        ...(banded ? { low: own.map((row) => row[how.low]), high: own.map((row) => row[how.high]) } : {}),
      }));
      return { x_title: how.x, y_title: measure, series, log_y: how.log?.includes(measure), y_range: how.y_range?.[measure] };
    };
    const controls = element("div", "", { class: "controls" });
    const drawing = element("div");
    const said = element("output", "", { "aria-live": "polite" });
    frame.append(element("h4", how.title), controls, drawing, said);
    place.append(frame);
    const redraw = interactiveCurves(frame, drawing, said, figure);
    if (taps.length > 1) controls.append(menu("tap", taps, (value) => { tap = value; redraw(); }));
    if (measures.length > 1) controls.append(menu("measure", measures, (value) => { measure = value; redraw(); }));
    if (labels.length > 1) controls.append(boxes(how.series.join(" and "), labels, (value) => { chosen = value; redraw(); }));
  }

  // ---- Matrices and strips: a picture with places in it -----------------------------------------------

  // A layer over part of a picture. `cell(i, j)` is a place's rectangle in fractions of the layer, and
  // `find(x, y)` the place at a point of it.
  function overlay(drawing, said, name, [left, top, right, bottom], lengths, cell, find, tell) {
    const percent = (part) => `${100 * part}%`;
    const put = (box, [x, y, w, h]) => Object.assign(box.style, { left: percent(x), top: percent(y), width: percent(w), height: percent(h) });
    const layer = element("div", "", { class: "places", ...walkable(name) });
    const cursor = element("div", "", { class: "cursor", hidden: "" });
    put(layer, [left, top, right - left, bottom - top]);
    layer.append(cursor);
    drawing.append(layer);
    const show = (i, j) => {
      cursor.hidden = false;
      put(cursor, cell(i, j));
      if (document.activeElement === layer) cursor.scrollIntoView({ block: "nearest", inline: "nearest" });
    };
    const go = walk(layer, said, () => lengths, show, tell);
    layer.addEventListener("pointermove", (event) => {
      const box = layer.getBoundingClientRect();
      const place = find((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
      if (place) go(...place);
    });
  }

  function decoded(panel) {
    const bytes = Uint8Array.from(atob(panel.values), (c) => c.charCodeAt(0));
    return new Float32Array(bytes.buffer);
  }

  // "3 to 5" of an axis with means over blocks, or the physical value in the middle.
  function placeOn(title, index, drawn, given, range) {
    const block = Math.ceil(given / drawn);
    const first = index * block;
    const last = Math.min(given - 1, first + block - 1);
    if (range) return `${title} ${short(range[0] + (range[1] - range[0]) * (first + last) / 2 / Math.max(1, given - 1))}`;
    return `${title} ${first}${last > first ? ` to ${last} (mean)` : ""}`;
  }

  function matrices(figure, drawing, said) {
    for (const panel of figure.panels) {
      const { rows, columns, of } = panel;
      const values = decoded(panel);
      const name = (i, j) => `${placeOn(panel.y_title, i, rows, of[0], panel.y_range)}, ${placeOn(panel.x_title, j, columns, of[1], panel.x_range)}`;
      const tell = (i, j) => `${panel.title}: ${name(i, j)}: ${short(values[i * columns + j])}`;
      const find = (x, y) => [Math.floor(y * rows), Math.floor(x * columns)];
      overlay(drawing, said, panel.title, panel.place, Array(rows).fill(columns), (i, j) => [j / columns, i / rows, 1 / columns, 1 / rows], find, tell);
    }
  }

  function strips(figure, drawing, said) {
    const { tops, bottoms, lefts, width } = figure;
    const inside = (x, begin, end) => x >= begin && x <= end;
    const find = (x, y) => {
      const i = tops.findIndex((top, k) => inside(y, top, bottoms[k]));
      const j = lefts.findIndex((left) => inside(x, left, left + width));
      return i < 0 || j < 0 || j >= figure.strips[i].captions.length ? null : [i, j];
    };
    const tell = (i, j) => `direction ${figure.strips[i].title}, ${figure.strips[i].captions[j]}: ${figure.strips[i].words[j] ?? ""}`;
    overlay(drawing, said, figure.title, [0, 0, 1, 1], figure.strips.map((strip) => strip.captions.length),
      (i, j) => [lefts[j], tops[i], width, bottoms[i] - tops[i]], find, tell);
  }

  // ---- A figure's numbers as a file -------------------------------------------------------------------

  const csv = (rows) => rows.map((row) => row.map((cell) => /[",\n]/.test(cell) ? `"${String(cell).replaceAll("\"", "\"\"")}"` : String(cell ?? "")).join(",")).join("\n") + "\n";

  const curveRows = (figure) => [["curve", figure.x_title, figure.y_title, "low", "high"],
    ...figure.series.flatMap((curve) => curve.x.map((x, k) => [curve.label, x, curve.y[k], curve.low?.[k], curve.high?.[k]]))];

  const stripRows = (figure) => [["direction", "column", "point", "nearest"],
    ...figure.strips.flatMap((strip) => strip.captions.map((caption, j) => [strip.title, j, caption, strip.words[j]]))];

  function matrixRows({ rows, columns, of, ...panel }) {
    const values = decoded(panel);
    return [
      ["", ...Array.from({ length: columns }, (_, j) => placeOn("column", j, columns, of[1], null))],
      ...Array.from({ length: rows }, (_, i) => [placeOn("row", i, rows, of[0], null),
        ...Array.from(values.subarray(i * columns, (i + 1) * columns), (value) => Number(value.toPrecision(7)))]),
    ];
  }

  // The parts of a figure: what the name of a part's file ends with, and the part's rows.
  function parts(figure) {
    if (figure.kind === "curves") return [["", () => curveRows(figure)]];
    if (figure.kind === "strips") return [["", () => stripRows(figure)]];
    return figure.panels.map((panel, i, all) => [all.length > 1 ? "." + (panel.title.replaceAll(/[^A-Za-z0-9]+/g, "_") || i) : "", () => matrixRows(panel)]);
  }

  function downloads(figure) {
    return parts(figure).map(([ending, rows]) => {
      const file = figure.name + ending + ".csv";
      const link = element("a", `Save ${file}`, { class: "download", download: file, href: "#" });
      // Made when it is asked for: many figures of a page are never saved.
      link.addEventListener("click", () => { link.href = URL.createObjectURL(new Blob([csv(rows())], { type: "text/csv" })); }, { once: true });
      return link;
    });
  }

  // ---- The page -----------------------------------------------------------------------------------------

  for (const place of document.querySelectorAll("figure[data-figure]")) {
    const figure = runs[Number(place.dataset.run)].figures[Number(place.dataset.figure)];
    const drawing = place.querySelector(".drawing");
    const said = place.querySelector("output");
    if (figure.kind === "matrices") matrices(figure, drawing, said);
    if (figure.kind === "strips") strips(figure, drawing, said);
    if (figure.kind === "curves") {
      place.classList.add("chart");
      for (const [name, value] of Object.entries(walkable(figure.title))) drawing.setAttribute(name, value);
      place.prepend(element("h4", figure.title));
      interactiveCurves(drawing, drawing, said, () => figure);
    }
    place.append(...downloads(figure));
  }

  for (const place of document.querySelectorAll(".charts")) {
    const all = "all" in place.dataset;
    const articles = all ? [...document.querySelectorAll("article")] : [place.closest("article")];
    for (const name of Object.keys(charts)) {
      const tables = articles.map((article, k) => records(article, name).map((row) => ({ ...row, ...(all ? { run: runs[k].name } : {}) })));
      if (tables.filter((rows) => rows.length > 0).length > (all ? 1 : 0)) chart(name, tables.flat(), place, all ? ["run"] : []);
    }
  }

  // A link to a layer opens what is known of it.
  const open = () => {
    const target = location.hash ? document.getElementById(location.hash.slice(1)) : null;
    if (target?.parentElement instanceof HTMLDetailsElement) target.parentElement.open = true;
  };
  addEventListener("hashchange", open);
  open();
})();
