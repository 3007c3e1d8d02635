#include "base/launcher.h"

#include <errno.h>
#include <stdlib.h>

/* The value is the number of processes where it tells. */
static const char *const sizes[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE",  "SLURM_STEP_NUM_TASKS",
                                    "MPI_LOCALNRANKS",      "PALS_SIZE", "FLUX_JOB_SIZE"};
static const char *const marks[] = {"PMIX_RANK", "PMI_RANK", "PMI_FD", "PALS_RANKID", "FLUX_TASK_RANK"};

/* A whole number from 0 on, or -1. */
static long long whole(const char *variable)
{
    const char *text = getenv(variable);
    char *end;
    errno = 0;
    long long value = text && *text ? strtoll(text, &end, 10) : -1;
    return value < 0 || errno || *end ? -1 : value;
}

int launcher_size(const char **variable)
{
    int largest = 0;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        long long value = whole(sizes[i]);
        if (value > largest && value <= 1 << 30) {
            largest = (int)value;
            *variable = sizes[i];
        }
    }
    for (size_t i = 0; i < sizeof marks / sizeof *marks && largest == 0; i++)
        if (getenv(marks[i]))
            largest = 1;
    return largest;
}

double launcher_end_time_s(void)
{
    long long value = whole("SLURM_JOB_END_TIME");
    return value > 0 ? (double)value : 0;
}
