/* grid.h - named arrays with named dimensions and CF attributes: what a netCDF-3, netCDF-4 or plain HDF5 file holds.
 *
 * The two openers fill the same struct, so that the importer does not know which format it reads.
 */
#ifndef STORE_GRID_H
#define STORE_GRID_H

#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"

enum { GRID_MAX_DIMS = 8 };

struct grid_variable {
    const char *name;
    int is_text; /* strings, or characters whose last dimension is the length */
    int n_dims;
    int64_t dims[GRID_MAX_DIMS];
    const char *dim[GRID_MAX_DIMS]; /* names; NULL where the file has none */
    int64_t n_values;               /* product of dims */
    double scale, offset;           /* packed values: value * scale + offset */
    int n_fills;
    double fill[2];        /* _FillValue, missing_value: of the packed values */
    double unsigned_range; /* 256 or 65536 ...: signed numbers stand for unsigned ones (_Unsigned); 0: they do not */
    const char *units, *long_name, *standard_name, *calendar; /* "" when absent */
    int64_t place;                                            /* of the opener: offset of the first value */
    int type;                                                 /* of the opener */
    int is_record; /* of the opener: the first dimension is the unlimited one */
};

struct grid {
    const char *path;
    struct arena *arena;
    int n_variables;
    struct grid_variable *variable;
    const char *title, *source, *history; /* "" when absent */
    void *state;                          /* of the opener */
    enum status (*read)(struct grid *grid, const struct grid_variable *variable, double *values, struct fault *fault);
    enum status (*read_text)(struct grid *grid, const struct grid_variable *variable, int64_t n, const char **text,
                             struct fault *fault);
    void (*close)(struct grid *grid);
};

/* Local. Opens a file; the struct lives in `arena`. Values are read later with ->read (numbers as stored, n_values of
 * them) and
 * ->read_text (n strings). Faults STATUS_IO: not to be read, damaged. */
enum status grid_open_hdf5(const char *path, struct arena *arena, struct grid *grid, struct fault *fault);
enum status grid_open_netcdf3(const char *path, struct arena *arena, struct grid *grid, struct fault *fault);

/* Local. A variable that knows nothing yet. */
struct grid_variable grid_variable(const char *name);

/* Local. Takes note of an attribute of a variable (or of the file: variable NULL) if it means something here. */
void grid_text_attribute(struct grid *grid, struct grid_variable *variable, const char *name, const char *text);
void grid_number_attribute(struct grid_variable *variable, const char *name, double value);

/* Local. The variable of this name, NULL if there is none. */
struct grid_variable *grid_find(const struct grid *grid, const char *name);

/* Local. "name [time=132, lat=73]" for each variable, separated by commas, cut with "..." at the size. Returns text. */
char *grid_list(const struct grid *grid, char *text, size_t size);

#endif
