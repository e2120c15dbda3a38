#pragma once
/// \file
/// What the programs that write a report have in common: exit codes, and where the report goes.

#include <exception>
#include <filesystem>
#include <iostream>
#include <string>

#include <kappa/io/html_report.hpp>
#include <kappa/tensor/errors.hpp>
#include <kappa/version.hpp>

namespace examples {

enum exit_code {
  success = 0,
  unexpected = 1,
  bad_command_line = 2,
  bad_data = 3,
  cannot_write = 4,
  failed_numerics = 5
};

/// The same for a program's help.
inline constexpr char const* exit_codes_help =
    "Exit codes: 0 done, 1 unexpected error, 2 bad command line, 3 bad data, 4 the report cannot be written,\n"
    "5 a numerical failure (training diverged, a matrix that cannot be decomposed).";

/// Makes `folder`, lets `work(page)` fill a page and writes it there as report.html. Failures are said on stderr, and
/// become exit codes.
template <class Work>
exit_code write_report(std::string const& title, std::string const& folder, Work&& work) {
  try {
    std::error_code made;
    std::filesystem::create_directories(folder, made);
    if (made) throw kappa::write_error(folder + ": the folder cannot be made: " + made.message());
    auto const path = std::filesystem::path(folder) / "report.html";
    kappa::io::report page(title, "kappa " + std::to_string(kappa::version::major) + "." +
                                      std::to_string(kappa::version::minor) + "." +
                                      std::to_string(kappa::version::patch));
    page.write(path);  // says now, not after the work, that it cannot be written
    work(page);
    page.write(path);
    std::cout << "Report: " << path.string() << '\n';
    return success;
  } catch (kappa::write_error const& e) {
    std::cerr << "cannot write: " << e.what() << '\n';
    return cannot_write;
  } catch (kappa::singular_matrix const& e) {
    std::cerr << "numerical failure: " << e.what() << '\n';
    return failed_numerics;
  } catch (kappa::not_converged const& e) {
    std::cerr << "numerical failure: " << e.what() << '\n';
    return failed_numerics;
  } catch (kappa::error const& e) {
    std::cerr << "bad data: " << e.what() << '\n';
    return bad_data;
  } catch (std::exception const& e) {
    std::cerr << "unexpected: " << e.what() << '\n';
    return unexpected;
  }
}

}  // namespace examples
