/* study_keys.c - the table of what may stand in a study. */
#include <math.h>
#include <string.h>

#include "config/keys.h"
#include "config/study.h"

#define IN(member) offsetof(struct study, member)
#define DEFAULT(text) KEY_DEFAULT, text, 0
#define OPEN(who) KEY_OPEN, who, 0
#define NEEDED KEY_REQUIRED, NULL, 0
#define FREE KEY_TEXT, 0 /* what is below it is read by study_axis.c */
#define MEANS(text) .meaning = (text)

/* clang-format off */
static const struct job_key keys[] = {
    {"name", KEY_NAME, IN(name), OPEN("the file's name"), MEANS("name of the study")},
    {"kind", KEY_WORD, IN(kind), DEFAULT("sweep"), .words = "sweep strong-scaling weak-scaling",
        MEANS("points over keys; or the same work, or work that grows, on more and more devices or ranks")},
    {"job", KEY_FILE, IN(job), NEEDED, MEANS("the job that all points start from; it trains or serves")},
    {"timing_only", KEY_SWITCH, IN(timing_only), DEFAULT("false"), MEANS("runs without tensors (`--timing-only`)")},
    {"ranks", KEY_INT, IN(ranks), DEFAULT("1"), .min = 1, .max = 4096, MEANS("MPI ranks of each run")},
    {"replicas", KEY_INT, IN(replicas), DEFAULT("1"), .min = 1, .max = 1000,
        MEANS("runs of each point, with the job's seed and the ones after it")},
    {"output", KEY_TEXT, IN(output), OPEN("NAME-out"), .words = "a folder", MEANS("folder of the tables and of the points' results")},
    {"metrics", KEY_TEXTS, IN(metrics), OPEN("a few of each kind of run"), .most = 32,
        MEANS("columns of the table, see below")},

    {"set", FREE, OPEN("nothing"), .words = "a section KEY: VALUE", MEANS("keys of the job with values that hold for all points")},

    {"objectives.minimise", KEY_TEXTS, IN(minimise), OPEN("none"), .most = 3, MEANS("metrics of the Pareto front, less is better")},
    {"objectives.maximise", KEY_TEXTS, IN(maximise), OPEN("none"), .most = 3, MEANS("metrics of the Pareto front, more is better")},

    {"runs.grid", FREE, OPEN("nothing"), .words = "a section KEY: list or range", MEANS("keys of the job; every value with every other")},
    {"runs.zip", FREE, OPEN("nothing"), .words = "a section KEY: list", MEANS("keys of the job with lists of one length; the first values together, the second, ...")},

    {"runs.sample.method", KEY_WORD, IN(method), DEFAULT("latin-hypercube"), .words = "latin-hypercube random",
        MEANS("each key's range cut into as many strata as there are samples, one sample in each; or independent draws")},
    {"runs.sample.points", KEY_INT, IN(samples), OPEN("needed with `over`"), .min = 1, .max = STUDY_MAX_POINTS, MEANS("samples")},
    {"runs.sample.seed", KEY_SEED, IN(seed), DEFAULT("1"), MEANS("seed of the draws")},
    {"runs.sample.over", FREE, OPEN("nothing"), .words = "a section KEY: list or range", MEANS("keys of the job; ranges, or lists of which one value is drawn")},

    {"scaling.over", KEY_TEXT, IN(over), OPEN("needed by scaling studies"),
        .words = "a key of the job, or ranks", MEANS("key of the job that counts devices (virtual time), or `ranks` of the emulator (wall time)")},
    {"scaling.counts", FREE, OPEN("needed by scaling studies"), .words = "a list or a range of whole numbers", MEANS("its values, a list or a range; the first is the base")},
    {"scaling.along", FREE, OPEN("nothing"), .words = "a section KEY: list", MEANS("keys of the job with one value for each count: a machine that grows in more than one part")},
    {"scaling.grow", KEY_TEXTS, IN(grow), OPEN("needed by weak scaling"), .most = 8,
        MEANS("keys of the job with whole numbers that grow as the count does")},
    {"scaling.repeats", KEY_INT, IN(repeats), DEFAULT("1"), .min = 1, .max = 100,
        MEANS("over `ranks`: runs of each point; the fastest counts")},
};
/* clang-format on */

const struct job_key *study_keys(int *n)
{
    *n = (int)(sizeof keys / sizeof *keys);
    return keys;
}

int study_is_scaling(const struct study *study)
{
    return strcmp(study->kind, "sweep") != 0;
}

int study_is_over_ranks(const struct study *study)
{
    return study_is_scaling(study) && strcmp(study->over, "ranks") == 0;
}
