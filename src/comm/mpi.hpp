#pragma once
/// @file
/// mpi.h without Open MPI's C++ bindings: the standard dropped them in MPI-3, and they want a library of their own.

#ifndef OMPI_SKIP_MPICXX
#define OMPI_SKIP_MPICXX 1
#endif
#include <mpi.h>
