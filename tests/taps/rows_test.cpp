// Which rows count: masks and skips of every shape against a count by hand.

#include "descramble/taps/rows.h"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include <ATen/ops/arange.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include "descramble/core/error.h"

namespace descramble::test {
namespace {

/// Dimensions by letter: samples, tokens, heads, numbers of a row, a dimension of 1.
const std::map<char, std::int64_t> lengths = {{'N', 3}, {'T', 4}, {'H', 2}, {'d', 5}, {'1', 1}};

std::vector<std::int64_t> sizes_of(const std::string& letters) {
  std::vector<std::int64_t> sizes;
  for (const char letter : letters) sizes.push_back(lengths.at(letter));
  return sizes;
}

using Spot = std::map<char, std::int64_t>;

/// All places of a tensor, in the order of its memory.
std::vector<Spot> places_of(const std::string& letters) {
  std::vector<Spot> places{{}};
  for (const char letter : letters) {
    std::vector<Spot> more;
    for (const Spot& place : places) {
      for (std::int64_t i = 0; i < lengths.at(letter); ++i) {
        more.push_back(place);
        more.back()[letter] = i;
      }
    }
    places = std::move(more);
  }
  return places;
}

struct Case {
  std::string value;  ///< letters; 'd' is the axis
  std::string mask;   ///< letters; empty: no mask
};

Axis axis_of(const std::string& value) {
  return value.back() == 'd' ? Axis::features : Axis::channels;
}

std::string rows_of(std::string letters) {
  letters.erase(std::find(letters.begin(), letters.end(), 'd'));
  return letters;
}

/// Three of ten entries are 0.
at::Tensor mask_of(const std::string& letters) {
  std::int64_t count = 1;
  for (const std::int64_t size : sizes_of(letters)) count *= size;
  return at::arange(count, at::kLong)
      .mul(7)
      .remainder(10)
      .ge(3)
      .to(at::kLong)
      .reshape(sizes_of(letters));
}

std::vector<bool> counted(const Case& one, std::int64_t skip) {
  const at::Tensor value = at::randn(sizes_of(one.value));
  RowSelection selection{.skip = skip};
  std::vector<at::Tensor> inputs{value};
  if (!one.mask.empty()) {
    selection.mask = 1;
    selection.mask_name = "mask";
    inputs.push_back(mask_of(one.mask));
  }
  const at::Tensor found = counted_rows(selection, value, axis_of(one.value), inputs);
  EXPECT_EQ(found.dim(), 1);
  std::vector<bool> result;
  for (std::int64_t i = 0; i < found.numel(); ++i) result.push_back(found[i].item<bool>());
  return result;
}

/// The same, place by place: the mask's entry there, and how many entries of its sample come
/// before.
std::vector<bool> by_hand(const Case& one, std::int64_t skip) {
  const std::string rows = rows_of(one.value);
  const bool whole_samples = one.mask.find_first_of("TH") == std::string::npos;
  std::map<std::pair<std::int64_t, std::string>, bool> entries;
  const auto key = [](const std::string& letters, const Spot& place) {
    std::string text;
    for (const char letter : letters) {
      if (letter != 'N' && letter != '1') text += letter + std::to_string(place.at(letter));
    }
    return std::pair{place.at('N'), text};
  };
  std::map<std::int64_t, std::int64_t> before;
  const at::Tensor flat = one.mask.empty() ? at::Tensor() : mask_of(one.mask).reshape({-1});
  const std::vector<Spot> mask_places = places_of(one.mask);
  for (std::size_t i = 0; i < mask_places.size() && !one.mask.empty(); ++i) {
    bool set = flat[static_cast<std::int64_t>(i)].item<std::int64_t>() != 0;
    if (set && !whole_samples) set = before[mask_places[i].at('N')]++ >= skip;
    entries[key(one.mask, mask_places[i])] = set;
  }
  std::vector<bool> result;
  for (const Spot& place : places_of(rows)) {
    bool counts = one.mask.empty() || entries.at(key(one.mask, place));
    if (whole_samples && skip > 0) counts = counts && place.at(rows[1]) >= skip;
    result.push_back(counts);
  }
  return result;
}

TEST(Rows, AreCountedByMaskAndSkipWhateverTheShapes) {
  for (const std::string value : {"NTd", "NdT", "NTHd", "NHTd", "NdTH", "NdHT"}) {
    const std::string rows = rows_of(value);
    for (const std::string mask : {"", "N", "N1", "NT", "NH", "NT1", "N1T", "NTH", "NHT", "N11"}) {
      // Masks of positions stand where the value's do, or say where by dimensions of 1.
      std::string letters = mask;
      if (letters.size() != rows.size())
        letters.erase(std::remove(letters.begin(), letters.end(), '1'), letters.end());
      bool fits = letters.size() <= rows.size();
      const auto same = [&](std::size_t first) {
        for (std::size_t i = 1; i < letters.size(); ++i) {
          if (letters[i] != '1' && letters[i] != rows[first + i]) return false;
        }
        return true;
      };
      fits = fits && (same(0) || same(rows.size() - letters.size()));
      for (const std::int64_t skip : {0, 1, 2, 9}) {
        const Case one{value, mask};
        const std::string where = value + " " + mask + " " + std::to_string(skip);
        const bool unclear =
            skip > 0 && rows.size() > 2 && mask.find_first_of("TH") == std::string::npos;
        if (!fits || unclear) {
          EXPECT_THROW(counted(one, skip), Error) << where;
          continue;
        }
        EXPECT_EQ(counted(one, skip), by_hand(one, skip)) << where;
      }
    }
  }
}

TEST(Rows, OfSamplesAndPositionsInOneDimension) {
  const at::Tensor mask = at::tensor(std::vector<std::int64_t>{0, 1, 1, 1, 0, 1}).reshape({2, 3});
  const at::Tensor value = at::randn({6, 4});
  const at::Tensor found =
      counted_rows({.mask = 0, .mask_name = "mask", .skip = 1}, value, Axis::features, {mask});
  EXPECT_TRUE(found.equal(at::tensor(std::vector<std::int64_t>{0, 0, 1, 0, 0, 1}).ne(0)));
}

TEST(Rows, OfAMaskThatFitsInTwoWaysAreRefused) {
  const RowSelection selection{.mask = 0, .mask_name = "mask"};
  const at::Tensor value = at::randn({3, 4, 4, 5});
  EXPECT_THROW(counted_rows(selection, value, Axis::features, {at::randn({3, 4})}), Error);
  EXPECT_EQ(counted_rows(selection, value, Axis::features, {at::randn({3, 1, 4})}).numel(), 48);
}

}  // namespace
}  // namespace descramble::test
