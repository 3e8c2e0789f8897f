#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace [[gnu::visibility("default")]] descramble {

/// One self-contained page about any number of result folders: what was run and on what,
/// certificates with their meaning, what each layer was found to be, figures, and what differs
/// between the configs. The page loads nothing from elsewhere, and it can be read without
/// JavaScript. All numbers are those of the folders. Texts of the folders (names of layers, of
/// files) are a stranger's: they are escaped, and a Content-Security-Policy allows the page's own
/// scripts alone.
/// @throws Error for a folder that is no result, one of another version, or one that is named twice
std::string report_page(const std::vector<std::filesystem::path>& folders);

/// Whether the text of a file is a page of `report_page`.
bool is_report(const std::string& text);

}  // namespace descramble
