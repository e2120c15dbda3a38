# kappa_require(<CMake package> [components...]): find_package with the floor that scripts/packages.txt gives, or one
# sentence that names the Debian package.

set(kappa_packages_file ${CMAKE_CURRENT_LIST_DIR}/../scripts/packages.txt)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${kappa_packages_file})
file(STRINGS ${kappa_packages_file} kappa_package_lines REGEX "^[^#]")
foreach(line IN LISTS kappa_package_lines)
  if(line MATCHES "^([^ ]+) +([^ ]+) +([^ ]+) +([^ ]+) +(.*)$")
    set(kappa_floor_of_${CMAKE_MATCH_1} ${CMAKE_MATCH_2})
    if(NOT CMAKE_MATCH_4 STREQUAL "-")
      set(kappa_floor_${CMAKE_MATCH_4} ${CMAKE_MATCH_2})
      set(kappa_debian_${CMAKE_MATCH_4} ${CMAKE_MATCH_1})
    endif()
  endif()
endforeach()

function(kappa_say_missing severity debian needed_by)
  message(${severity} "${needed_by} needs ${debian} ${kappa_floor_of_${debian}} or newer (the Debian package's name): "
    "apt install ${debian}, or run scripts/install_dependencies.")
endfunction()

macro(kappa_require name)
  find_package(${name} ${kappa_floor_${name}} QUIET ${ARGN})
  if(NOT ${name}_FOUND)
    kappa_say_missing(FATAL_ERROR ${kappa_debian_${name}} "kappa")
  endif()
endmacro()
