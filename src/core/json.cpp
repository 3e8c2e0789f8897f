#include "descramble/core/json.h"

#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "descramble/core/error.h"
#include "descramble/core/files.h"

namespace descramble {

using nlohmann::json;

std::string join_pointer(const std::string& pointer, std::string_view key) {
  std::string escaped;
  for (const char c : key) {
    if (c == '~')
      escaped += "~0";
    else if (c == '/')
      escaped += "~1";
    else
      escaped += c;
  }
  return pointer + "/" + escaped;
}

namespace {

// A config needs a handful of levels; without a limit a file of brackets would exhaust the stack.
constexpr std::size_t most_levels = 200;

/// "[json.exception.parse_error.101] parse error at line 3 …" without the code in front.
std::string without_code(const json::exception& error) {
  std::string text = error.what();
  if (const auto close = text.find("] "); close != std::string::npos) text.erase(0, close + 2);
  return first_line(text);
}

/// Builds a document from nlohmann's SAX events, refusing duplicate keys.
class StrictBuilder : public nlohmann::json_sax<json> {
 public:
  explicit StrictBuilder(std::string source) : source_(std::move(source)) {}

  json take() { return std::move(root_); }

  bool null() override { return put(nullptr); }
  bool boolean(bool value) override { return put(value); }
  bool number_integer(number_integer_t value) override { return put(value); }
  bool number_unsigned(number_unsigned_t value) override { return put(value); }
  bool number_float(number_float_t value, const string_t&) override { return put(value); }
  bool string(string_t& value) override { return put(value); }
  bool binary(binary_t&) override { return false; }
  bool start_object(std::size_t) override { return open(json::object()); }
  bool start_array(std::size_t) override { return open(json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(string_t& name) override {
    if (stack_.back()->contains(name)) {
      throw Error({"duplicate key '" + name + "'", source_ + " " + join_pointer(pointer(), name),
                   "each key once", "it twice"});
    }
    key_ = name;
    return true;
  }
  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception& error) override {
    const std::string text = without_code(error);
    const std::string inside = pointer();
    throw Error(
        {"not valid JSON",
         fmt::format("{}{}, byte {}", source_, inside.empty() ? "" : " in " + inside, position), "",
         text});
  }

 private:
  std::string pointer() const {
    std::string text;
    for (std::size_t i = 0; i < names_.size(); ++i) text = join_pointer(text, names_[i]);
    return text;
  }
  std::string place() const {
    if (stack_.empty()) return "";
    return stack_.back()->is_object() ? key_ : std::to_string(stack_.back()->size());
  }
  json* insert(json value) {
    if (stack_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    json& parent = *stack_.back();
    if (parent.is_object()) return &(parent[key_] = std::move(value));
    parent.push_back(std::move(value));
    return &parent.back();
  }
  bool put(json value) {
    insert(std::move(value));
    return true;
  }
  bool open(json value) {
    if (stack_.size() == most_levels) {
      throw Error({"JSON nested too deeply", source_, fmt::format("at most {} levels", most_levels),
                   "more"});
    }
    if (!stack_.empty()) names_.push_back(place());
    stack_.push_back(insert(std::move(value)));
    return true;
  }
  bool close() {
    stack_.pop_back();
    if (!names_.empty()) names_.pop_back();
    return true;
  }

  std::string source_;
  json root_{};
  std::vector<json*> stack_{};
  std::vector<std::string> names_{};
  std::string key_{};
};

void require_finite(const json& value, const std::string& pointer, const std::string& source) {
  if (value.is_number_float() && !std::isfinite(value.get<double>())) {
    throw Failure({"non-finite number", source + " " + pointer, "a finite number",
                   std::to_string(value.get<double>())});
  }
  if (value.is_object()) {
    for (const auto& [key, item] : value.items())
      require_finite(item, join_pointer(pointer, key), source);
  } else if (value.is_array()) {
    for (std::size_t i = 0; i < value.size(); ++i) {
      require_finite(value[i], join_pointer(pointer, std::to_string(i)), source);
    }
  }
}

}  // namespace

json parse_json(std::string_view text, const std::string& source) {
  // nlohmann takes a zero byte for the end of the text, whatever follows.
  if (const auto zero = text.find('\0'); zero != std::string_view::npos) {
    throw Error(
        {"not valid JSON", fmt::format("{}, byte {}", source, zero + 1), "text", "a zero byte"});
  }
  StrictBuilder builder(source);
  json::sax_parse(text.begin(), text.end(), &builder);
  return builder.take();
}

json read_json(const std::filesystem::path& file) {
  return parse_json(read_file(file), file.string());
}

std::string write_json(const json& value, const std::string& source) {
  require_finite(value, "", source);
  try {
    return value.dump(2) + "\n";
  } catch (const json::exception& error) {  // text that is not UTF-8
    throw Failure({"cannot write as JSON", source, "UTF-8 text", first_line(error.what())});
  }
}

std::string describe(const json& value) {
  if (value.is_object()) {
    const auto kind = value.find("kind");
    return kind != value.end() && kind->is_string() ? "an object of kind " + describe(*kind)
                                                    : "an object";
  }
  if (value.is_array()) return fmt::format("a list of {}", value.size());
  std::string text = value.dump(-1, ' ', false, json::error_handler_t::replace);
  constexpr std::size_t most = 80;
  if (text.size() > most) {
    std::size_t end = most;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80)
      --end;  // not inside a character
    text = text.substr(0, end) + "...";
  }
  return text;
}

void set_by_pointer(json& document, std::string_view assignment) {
  const auto equals = assignment.find('=');
  if (assignment.empty() || assignment.front() != '/' || equals == std::string_view::npos) {
    throw Error({"bad assignment", "--set", "POINTER=VALUE with a JSON pointer such as /seed=2",
                 std::string(assignment)});
  }
  const std::string pointer(assignment.substr(0, equals));
  const std::string_view text = assignment.substr(equals + 1);
  json value;
  if (json::accept(text.begin(), text.end())) {
    value = parse_json(text, "--set " + pointer);
  } else {
    value = std::string(text);
  }
  try {
    const json::json_pointer target(pointer);
    json& parent = document.at(target.parent_pointer());
    const std::string& last = target.back();
    if (parent.is_object()) {
      parent[last] = std::move(value);
    } else if (parent.is_array()) {
      if (last == "-") {
        parent.push_back(std::move(value));
      } else {
        parent.at(json::json_pointer("/" + last)) = std::move(value);
      }
    } else {
      throw Error(
          {"cannot set a member", "--set " + pointer, "an object or list there", describe(parent)});
    }
  } catch (const json::exception& error) {
    throw Error(
        {"no such place", "--set " + pointer, "a pointer into the config", without_code(error)});
  }
}

}  // namespace descramble
