// Draws curves of cost as one SVG file, a plot below the other:
//     growth_plot FILE.svg < lines of "title|axis|series|x|y"
#include <cstdio>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include <kappa/io/svg.hpp>

int main(int count, char** arguments) {
  namespace io = kappa::io;
  if (count != 2) {
    std::fprintf(stderr, "usage: growth_plot FILE.svg < lines of title|axis|series|x|y\n");
    return 2;
  }
  std::vector<io::line_plot> plots;
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream fields(line);
    std::string title, label, name, x, y;
    std::getline(fields, title, '|'), std::getline(fields, label, '|'), std::getline(fields, name, '|');
    std::getline(fields, x, '|'), std::getline(fields, y);
    if (plots.empty() || plots.back().title != title)
      plots.push_back(
          {title, {label, io::axis_scale::logarithmic}, {"milliseconds", io::axis_scale::logarithmic}, {}, {}});
    auto& all = plots.back().data;
    if (all.empty() || all.back().name != name) all.push_back({name});
    all.back().x.push_back(std::stod(x));
    all.back().y.push_back(std::stod(y));
  }
  // Each plot is an SVG of its own, 720 wide, that says its height first.
  std::string body;
  double top = 0;
  for (auto const& plot : plots) {
    auto text = io::svg(plot);
    auto const at = text.find("viewBox=\"0 0 720 ");
    double const height = std::stod(text.substr(at + 17));
    text.insert(text.find("viewBox"), "y=\"" + std::to_string(top) + "\" ");
    body += text;
    top += height + 24;
  }
  std::ofstream out(arguments[1]);
  out << "<svg class=\"plot\" xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"-12 -12 744 " << top
      << "\" width=\"744\" height=\"" << top << "\">\n<style>" << io::detail::plot_style
      << "</style>\n<rect x=\"-12\" y=\"-12\" width=\"100%\" height=\"100%\" fill=\"var(--page)\"/>\n"
      << body << "</svg>\n";
  return out.flush() ? 0 : 1;
}
