#include "device/catalogue_list.h"

/* Each list X(field, value, evidence, source) makes both a profile and its printed table. The three placements of
 * AttAcc share the stack. */

#define ATTACC(X)                                                                                                      \
    X(stacks, 5, SOURCE, "AttAcc artifact: 8 devices of 5 stacks")                                                     \
    X(channels, 16, SOURCE, "AttAcc artifact, HBM3_8Gb_2R: 16 channels of two pseudo-channels")                        \
    X(banks, 64, SOURCE, "AttAcc artifact: 2 pseudo-channels x 2 ranks x 4 groups x 4 banks")                          \
    X(bank_bytes, 16777216, SOURCE, "AttAcc artifact: 16384 rows")                                                     \
    X(row_bytes, 1024, SOURCE, "AttAcc artifact: 32 columns of 32 bytes")                                              \
    X(column_bytes, 32, SOURCE, "AttAcc artifact")                                                                     \
    X(clock_ps, 769, SOURCE, "AttAcc artifact: 5.2 Gbit/s per pin")                                                    \
    X(rcd_cycles, 19, SOURCE, "AttAcc artifact, HBM3_5.2Gbps")                                                         \
    X(rp_cycles, 19, SOURCE, "AttAcc artifact, HBM3_5.2Gbps")                                                          \
    X(rtp_short_cycles, 6, SOURCE, "AttAcc artifact, HBM3_5.2Gbps")                                                    \
    X(ras_cycles, 45, SOURCE, "AttAcc artifact, HBM3_5.2Gbps")                                                         \
    X(rtp_cycles, 8, SOURCE, "AttAcc artifact, HBM3_5.2Gbps")                                                          \
    X(rfc_cycles, 456, SOURCE, "AttAcc artifact: 350 ns")                                                              \
    X(refi_cycles, 5070, SOURCE, "AttAcc artifact: 3.9 us")                                                            \
    X(move_cycles, 2, SOURCE, "AttAcc artifact: nCCDS")                                                                \
    X(move_same_cycles, 4, SOURCE, "AttAcc artifact: nCCDL")                                                           \
    X(queue, 32, SOURCE, "AttAcc artifact, controller")                                                                \
    X(power_limited, 1, SOURCE, "AttAcc (ASPLOS 2024): the evaluated devices keep the limit")                          \
    X(external_bytes_per_s, 670.4e9, SOURCE, "AttAcc artifact, per stack")                                             \
    X(softmax_ops_per_s, 670.4e9, SOURCE, "AttAcc artifact: 5 operations an element at this rate")                     \
    X(row_fj_per_bit, 110, SOURCE, "AttAcc artifact: 0.11 pJ/bit")                                                     \
    X(array_fj_per_bit, 440, SOURCE, "AttAcc artifact: 0.44 pJ/bit")                                                   \
    X(group_fj_per_bit, 1010, SOURCE, "AttAcc artifact: 1.01 pJ/bit")                                                  \
    X(channel_fj_per_bit, 1230, SOURCE, "AttAcc artifact: 1.23 pJ/bit")                                                \
    X(via_fj_per_bit, 500, SOURCE, "AttAcc artifact: 0.5 pJ/bit")                                                      \
    X(interface_fj_per_bit, 300, SOURCE, "AttAcc artifact: 0.3 pJ/bit")                                                \
    X(mac_fj, 320, SOURCE, "AttAcc artifact: 0.32 pJ")                                                                 \
    X(softmax_fj_per_op, 160, SOURCE, "AttAcc artifact: 0.32 pJ for two")                                              \
    X(buffer_fj_per_byte, 67.5, SOURCE, "AttAcc artifact, a register")                                                 \
    X(refresh_fj, 1.1534e8, DERIVED, "64 banks x 2 rows (16384 in 8192 refreshes) x 110 fJ/bit")                       \
    X(idle_mw, 1000, RECALLED, "an HBM stack at rest draws about a watt")

#define AT_BANKS(X)                                                                                                    \
    X(placement, 0, SOURCE, "AttAcc: chosen for energy, delay and area")                                               \
    X(mac_cycles, 4, SOURCE, "AttAcc artifact: nCCDAB without the limit")                                              \
    X(mac_limited_cycles, 6, SOURCE, "AttAcc artifact: nCCDAB under the limit")

#define AT_GROUPS(X)                                                                                                   \
    X(placement, 1, SOURCE, "AttAcc: an alternative of the study")                                                     \
    X(mac_cycles, 4, SOURCE, "AttAcc artifact: nCCDSB without the limit")                                              \
    X(mac_limited_cycles, 6, SOURCE, "AttAcc artifact: nCCDSB under the limit")

#define AT_BUFFER(X)                                                                                                   \
    X(placement, 2, SOURCE, "AttAcc: an alternative of the study")                                                     \
    X(mac_cycles, 2, SOURCE, "AttAcc artifact: nCCDS, the channel's own rate")                                         \
    X(mac_limited_cycles, 2, SOURCE, "AttAcc artifact: the limit does not bind")

enum hbm_pim_field {
#define X(type, field, unit, meaning) FIELD_##field,
    HBM_PIM_CONSTANTS(X)
#undef X
};

static const struct constant_field hbm_pim_fields[] = {
#define X(type, field, unit, meaning) {#field, unit, meaning},
    HBM_PIM_CONSTANTS(X)
#undef X
};

#define SET(field, value, evidence, source) .field = (value),
#define ROW(field, value, evidence, source) {FIELD_##field, (value), EVIDENCE_##evidence, source},

static const struct constant bank_rows[] = {AT_BANKS(ROW) ATTACC(ROW)};
static const struct constant group_rows[] = {AT_GROUPS(ROW) ATTACC(ROW)};
static const struct constant buffer_rows[] = {AT_BUFFER(ROW) ATTACC(ROW)};

#define ENTRY(name, title, rows)                                                                                       \
    {                                                                                                                  \
        name, "hbm-pim", title, hbm_pim_fields, rows, sizeof(rows) / sizeof(rows)[0]                                   \
    }

static const struct hbm_pim_entry hbm_pim_entries[] = {
    {ENTRY("attacc-bank", "AttAcc: five HBM3 stacks with a unit at every bank", bank_rows),
     {AT_BANKS(SET) ATTACC(SET)}},
    {ENTRY("attacc-bank-group", "AttAcc with a unit at every bank group", group_rows), {AT_GROUPS(SET) ATTACC(SET)}},
    {ENTRY("attacc-buffer", "AttAcc with units on the buffer die", buffer_rows), {AT_BUFFER(SET) ATTACC(SET)}},
};

const struct hbm_pim_entry *hbm_pim_entry(size_t i)
{
    return i < sizeof hbm_pim_entries / sizeof hbm_pim_entries[0] ? &hbm_pim_entries[i] : NULL;
}
