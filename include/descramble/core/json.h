#pragma once

#include "descramble/core/language.h"

#include <filesystem>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

namespace [[gnu::visibility("default")]] descramble {

/// Parses strict JSON (RFC 8259). Unlike nlohmann's default, a duplicate key is an error that names
/// its JSON pointer. `source` names the text in errors (a file, "--set /seed").
/// @throws Error for text that is not strict JSON, naming the place
nlohmann::json parse_json(std::string_view text, const std::string& source);

/// Parses a file. @throws Error when it is missing, unreadable, or not strict JSON
nlohmann::json read_json(const std::filesystem::path& file);

/// Serialises with two-space indentation and a final newline. A non-finite number is an error that
/// names its JSON pointer (never a silent `null`).
/// @throws Failure
std::string write_json(const nlohmann::json& value, const std::string& source);

/// A short rendering of a value for "found …": `"text"`, `3.7`, `an object`.
std::string describe(const nlohmann::json& value);

/// "/a/b~1c": `pointer` with `key` appended, escaped by RFC 6901.
std::string join_pointer(const std::string& pointer, std::string_view key);

/// Applies `POINTER=VALUE` (VALUE is JSON; text that is not JSON is taken as a string). The
/// pointer's parent must exist.
/// @throws Error for text that is no assignment, or a pointer whose parent does not exist
void set_by_pointer(nlohmann::json& document, std::string_view assignment);

}  // namespace descramble
