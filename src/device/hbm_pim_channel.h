/* hbm_pim_channel.h - when one channel of an HBM-PIM stack is through with a list of commands: a replica of the
 * controller's timing, event by event, not cycle by cycle.
 *
 * The list is made of steps: a run of MACs over consecutive columns, then transfers, then (perhaps) a barrier. Rules:
 *   - MACs of a channel keep mac_cycles; a row opens rcd_cycles before its first MAC; precharge waits rtp_cycles after
 *     the row's last MAC and ras_cycles after its activation, and takes rp_cycles;
 *   - transfers keep their own distance and run beside MACs; both wait for the barrier of the step before;
 *   - with processing units at banks, transfers without MACs of their own start move_cycles later when a barrier fell
 *     into the row of the MACs before them;
 *   - the controller sees `queue` commands ahead: transfers behind a run of MACs start when no more than that many MACs
 *     are left; the next row is opened when its first MAC is in sight, barrier or not;
 *   - with processing units at banks a row stands in all banks, so a row switch costs
 *     rtp + rp + rcd - mac cycles; with units at bank groups or on the buffer die consecutive rows lie in different
 *     banks and the next one opens meanwhile;
 *   - a refresh falls due every refi_cycles and goes before all row commands. With units at banks MACs in the open row
 *     go on, and as they come faster than rtp_cycles the refresh waits for the end of the row (or for a pause); with
 *     banks in turn it breaks in rtp_short_cycles after the last MAC. It closes all rows, takes rfc_cycles, and the row
 *     opens again behind it. Transfers go on meanwhile.
 * Checked against the published simulator's DRAM model (`polyrank reproduce attacc`, docs/attacc.md). Cycles are of
 * clock_ps.
 */
#ifndef DEVICE_HBM_PIM_CHANNEL_H
#define DEVICE_HBM_PIM_CHANNEL_H

#include <stdint.h>

#include "device/hbm_pim.h"

enum { HBM_PIM_BANKS_IN_TURN_MAX = 16 };

struct hbm_pim_bank {
    int64_t row, opened, last; /* open row (-1 none), its activation, its last MAC */
};

/* State of a channel; plain data, by hbm_pim_channel_start. */
struct hbm_pim_channel {
    const struct hbm_pim_profile *pim;
    int64_t interval;      /* MAC to MAC */
    int64_t row_columns;   /* columns of a row */
    int64_t gate;          /* no MAC or transfer before */
    int64_t seen;          /* the next step's first MAC is in sight from here on */
    int64_t mac, transfer; /* when the last of each was issued */
    int64_t refreshed;     /* the end of the last refresh: no activation before */
    int64_t refresh_due, refreshes;
    int64_t row_macs, row_before; /* MACs in the row of the last one; the last MAC of the row before */
    int banks_in_turn;
    int row_resumed; /* at banks: a barrier fell into the row of the last MAC */
    struct hbm_pim_bank bank[HBM_PIM_BANKS_IN_TURN_MAX];
};

/* `macs` over columns first, first + 1, ... of the channel's address space; a head's queries reuse an open column
 * `repeat` times (0 counts as 1). Then `transfers`, each `transfer_cycles` after the one before.
 * When they come in runs to one bank group (`run` > 0 of them, `run_done` of the first gone before), those of a run
 * keep move_same_cycles, and only what the queue shows beside waiting MACs can go between them. */
struct hbm_pim_step {
    int64_t first, macs, repeat;
    int64_t transfers, transfer_cycles, run, run_done;
    int barrier;
};

/* Local. An idle channel with all rows closed. `pim` is borrowed. */
void hbm_pim_channel_start(struct hbm_pim_channel *channel, const struct hbm_pim_profile *pim);

/* Local. The step's commands, behind those of the steps before. */
void hbm_pim_channel_step(struct hbm_pim_channel *channel, const struct hbm_pim_step *step);

/* Local. Nothing is issued for `cycles` after the last command (a softmax that nothing hides). */
void hbm_pim_channel_wait(struct hbm_pim_channel *channel, int64_t cycles);

/* Local. The cycle of the last command. */
int64_t hbm_pim_channel_end(const struct hbm_pim_channel *channel);

#endif
