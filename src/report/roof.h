/* roof.h - the limits of a device for a roofline: peak rate of arithmetic and bandwidth of memory, from the catalogue
 * and what the job's cluster overrides.
 */
#ifndef REPORT_ROOF_H
#define REPORT_ROOF_H

#include "config/job.h"

struct roof {
    double peak_flop_per_s;                            /* of matrix products */
    double vector_flop_per_s;                          /* of everything else; 0: the same */
    double bytes_per_s;                                /* of the memory that the ledger's bytes count */
    const char *peak_text, *vector_text, *memory_text; /* what they are: "tf32 matrix units" */
};

/* Local. Of the devices of this kind and profile in the job's cluster. 0 when there are none.
 *
 * gpu: rates of the profile at the device's number format (fp32 for the rest), DRAM bandwidth by specification.
 * systolic: 2 x arrays x rows x columns x clock; lanes x operations x clock; DRAM bandwidth.
 * reram: 2 x weights that all crossbars hold / time between two reads (device/reram.h); tile buffers.
 * hbm-pim: MAC commands of all channels at their interval (power limit), each so many columns of banks and 2 FLOP for
 * each element in them; the softmax units for the rest.
 * cpu: cores x clock x FLOP per cycle; DRAM bandwidth by specification. */
int roof_of(const struct job *job, const char *kind, const char *profile, struct roof *roof);

/* Local. The most that a kernel of this intensity (FLOP per byte) can reach in FLOP/s. */
double roof_at(const struct roof *roof, double intensity, int is_matrix);

#endif
