/* keys_run.c - the part of the key table (config/keys.h) for any run: who does what, what is written, what fails. */
#include "config/key_table.h"

/* clang-format off */
static const struct job_key keys[] = {
    {"placement.policy", KEY_WORD, IN(placement.policy), DEFAULT("gpu-only"), WORDS("gpu-only hpt auto"),
        MEANS("which device does what; hpt: full steps on GPUs, low-parameter steps on ReRAM and systolic devices; "
              "auto: the cheaper of the two")},
    {"placement.objective", KEY_WORD, IN(placement.objective), DEFAULT("time"), WORDS("time energy product"),
        MEANS("auto: what the whole run shall take least of; product: time times energy")},
    {"placement.micro_batches", KEY_INT, IN(placement.micro_batches), DEFAULT("1"), FROM(1, MILLION),
        MEANS("hpt: pieces of a minibatch that go through the stack one behind the other")},
    {"placement.replicas", KEY_INT, IN(placement.replicas), DEFAULT("0"), FROM(0, MILLION),
        MEANS("hpt: copies of every frozen matrix; 0: as many as fit")},
    {"placement.numerics", KEY_WORD, IN(placement.numerics), DEFAULT("fp32"), WORDS("fp32 tf32 bf16 fp16 fp64"),
        MEANS("number format of the operands of matrix products")},
    {"placement.attention_kernel", KEY_WORD, IN(placement.attention_kernel), DEFAULT("unfused"), WORDS("unfused fused"),
        MEANS("fused: scores never leave the chip")},
    {"placement.bucket_bytes", KEY_REAL, IN(placement.bucket_bytes), DEFAULT("25 MiB"), .unit = UNIT_BYTES,
        FROM(1, 0x1p50),
        MEANS("gradients are all-reduced in pieces of this size")},

    {"output.directory", KEY_TEXT, IN(output.directory), OPEN("NAME-out"),
        MEANS("folder of result.h5, summary.json and trace.json.gz, seen from where the program runs")},
    {"output.trace", KEY_SWITCH, IN(output.trace), DEFAULT("true"), MEANS("write the trace")},
    {"output.trace_max_bytes", KEY_REAL, IN(output.trace_max_bytes), DEFAULT("256 MiB"), .unit = UNIT_BYTES,
        FROM(0, 0x1p50),
        MEANS("cap of the uncompressed trace")},
    {"output.predictions", KEY_SWITCH, IN(output.predictions), DEFAULT("true"),
        MEANS("store the test predictions in the result")},

    {"faults[].device", KEY_NAME, FAULT(device), REQUIRED, MEANS("the device, as reports name it: gpu0, pim3")},
    {"faults[].at", KEY_REAL, FAULT(at_s), REQUIRED, .unit = UNIT_SECONDS, FROM(0, 8640000),
        MEANS("virtual time; it shows between two steps or iterations")},
    {"faults[].kind", KEY_WORD, FAULT(kind), REQUIRED, WORDS("fails degrades link-slows columns-stick"),
        MEANS("the device is lost with all that it holds; it computes, or its link to others is, slower from then on; "
              "columns of its crossbars do not conduct any more")},
    {"faults[].factor", KEY_REAL, FAULT(factor), OPEN("needed but by fails"), FROM_BELOW(1e-6, 1),
        MEANS("degrades, link-slows: speed that is left, as a share; columns-stick: share of the columns")},
    {"faults[].instance", KEY_INT, FAULT(instance), DEFAULT("0"), FROM(0, 4095), MEANS("serving: of this instance")},
};
/* clang-format on */

struct key_part keys_of_runs(void)
{
    return (struct key_part){keys, (int)(sizeof keys / sizeof keys[0])};
}
