#include "store.hpp"

#include <array>
#include <charconv>
#include <sstream>
#include <string_view>
#include <system_error>
#include <utility>

#include <kappa/io/file.hpp>

namespace conditioning_figures {

namespace {

std::string text_of(double value) {
  std::array<char, 40> buffer{};
  auto const end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
  return {buffer.data(), end.ptr};
}

template <class Number>
bool parse(std::string_view field, Number& value) {
  auto const end = std::from_chars(field.data(), field.data() + field.size(), value);
  return end.ec == std::errc{} && end.ptr == field.data() + field.size();
}

}  // namespace

point_store::point_store(std::filesystem::path file, std::string settings, bool restart) : path(std::move(file)) {
  std::error_code none;
  if (restart) std::filesystem::remove(path, none);
  if (std::filesystem::exists(path, none)) read(settings);
  bool const begin = !std::filesystem::exists(path, none) || std::filesystem::file_size(path, none) == 0;
  out.open(path, std::ios::app);
  if (begin) out << "# " << settings << '\n' << std::flush;
  if (!out) throw kappa::write_error(path.string() + ": cannot be opened for writing");
}

void point_store::read(std::string const& settings) {
  std::ifstream in(path);
  std::stringstream content;
  content << in.rdbuf();
  auto text = content.str();
  auto const whole = text.find_last_of('\n') == std::string::npos ? 0 : text.find_last_of('\n') + 1;
  if (whole < text.size()) {  // the program was ended while it wrote
    std::error_code failure;
    std::filesystem::resize_file(path, whole, failure);
    if (failure) throw kappa::write_error(path.string() + ": cannot be shortened: " + failure.message());
    text.resize(whole);
  }
  std::istringstream lines(text);
  std::string line;
  if (!std::getline(lines, line)) return;
  if (line != "# " + settings)
    throw kappa::invalid_value(path.string() + ": points of '# " + settings + "' were expected, it has those of '" +
                               line.substr(0, 80) + "'; give another folder, or --restart to measure anew");
  for (std::size_t number = 2; std::getline(lines, line); ++number) {
    std::vector<std::string> fields;
    std::istringstream parts(line);
    for (std::string field; std::getline(parts, field, ',');) fields.push_back(field);
    point_key key;
    std::vector<double> values(fields.size() > 3 ? fields.size() - 3 : 0);
    bool good = !values.empty() && parse(fields[1], key.x) && parse(fields[2], key.seed);
    for (std::size_t i = 0; good && i < values.size(); ++i) good = parse(fields[i + 3], values[i]);
    if (!good)
      throw kappa::format_error(path.string() + ": line " + std::to_string(number) +
                                ": panel,x,seed,values... were expected; --restart measures anew");
    key.panel = fields[0];
    points[std::move(key)] = std::move(values);
  }
}

std::vector<double> const* point_store::find(point_key const& key, std::size_t count) const {
  auto const at = points.find(key);
  return at == points.end() || at->second.size() != count ? nullptr : &at->second;
}

void point_store::add(point_key const& key, std::vector<double> values) {
  auto line = key.panel + ',' + text_of(key.x) + ',' + std::to_string(key.seed);
  for (double value : values) line += ',' + text_of(value);
  out << line << '\n' << std::flush;
  if (!out) throw kappa::write_error(path.string() + ": a point could not be written");
  points[key] = std::move(values);
}

}  // namespace conditioning_figures
