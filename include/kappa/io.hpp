#pragma once
/// \file
/// Data in, reports out: IDX, NPY and CSV files, labelled data sets, checkpoints; tables, progress, SVG and HTML.
/// Needs zlib. Everything is in namespace `kappa::io`.

#include <kappa/io/checkpoint.hpp>
#include <kappa/io/csv.hpp>
#include <kappa/io/dataset.hpp>
#include <kappa/io/html_report.hpp>
#include <kappa/io/idx.hpp>
#include <kappa/io/load.hpp>
#include <kappa/io/npy.hpp>
#include <kappa/io/progress.hpp>
#include <kappa/io/svg.hpp>
#include <kappa/io/table.hpp>
