#include "device/hbm_pim_channel.h"

#include "base/status.h"

/* A row is opened this long after the start of a list; its first MAC follows rcd_cycles later. */
enum { FIRST_ACTIVATE = 1 };

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

void hbm_pim_channel_start(struct hbm_pim_channel *channel, const struct hbm_pim_profile *pim)
{
    *channel = (struct hbm_pim_channel){.pim = pim,
                                        .interval = hbm_pim_mac_interval(pim),
                                        .row_columns = pim->row_bytes / pim->column_bytes,
                                        .seen = FIRST_ACTIVATE,
                                        .mac = -1,
                                        .transfer = -1,
                                        .refresh_due = pim->refi_cycles,
                                        .banks_in_turn = pim->placement == HBM_PIM_BANK         ? 1
                                                         : pim->placement == HBM_PIM_BANK_GROUP ? 4
                                                                                                : 16};
    for (int b = 0; b < channel->banks_in_turn; b++)
        channel->bank[b].row = -1;
}

/* When all banks can be closed. */
static int64_t close_all(const struct hbm_pim_channel *channel)
{
    int64_t closed = channel->mac < 0 ? 0 : channel->mac + channel->pim->rtp_cycles;
    for (int b = 0; b < channel->banks_in_turn; b++)
        if (channel->bank[b].row >= 0)
            closed = most(closed, channel->bank[b].opened + channel->pim->ras_cycles);
    return closed;
}

/* All banks close, are refreshed, and are open for an activation at the time returned. */
static int64_t refresh(struct hbm_pim_channel *channel)
{
    const struct hbm_pim_profile *pim = channel->pim;
    int64_t closed = close_all(channel);
    for (int b = 0; b < channel->banks_in_turn; b++)
        channel->bank[b].row = -1;
    int64_t start = most(most(closed, channel->refreshed), channel->refresh_due) + 1;
    channel->refresh_due += pim->refi_cycles;
    channel->refreshes++;
    channel->refreshed = start + pim->rfc_cycles;
    return channel->refreshed;
}

/* MACs of one row, the first at `first`; with banks in turn a refresh breaks in as soon as it is due. Returns the time
 * of the last. */
static int64_t row_of_macs(struct hbm_pim_channel *channel, int64_t row, int64_t first, int64_t macs)
{
    const struct hbm_pim_profile *pim = channel->pim;
    int64_t last = first + (macs - 1) * channel->interval;
    while (channel->banks_in_turn > 1 && channel->refresh_due <= last) {
        int64_t done = channel->refresh_due <= first ? 0 : (channel->refresh_due - first - 1) / channel->interval + 1;
        int64_t before = done ? first + (done - 1) * channel->interval : channel->mac;
        int64_t close = before < 0 ? 0 : before + pim->rtp_short_cycles;
        for (int b = 0; b < channel->banks_in_turn; b++)
            channel->bank[b].row = -1;
        channel->refreshed = most(close, channel->refresh_due) + 1 + pim->rfc_cycles;
        channel->refresh_due += pim->refi_cycles;
        channel->refreshes++;
        channel->bank[row % channel->banks_in_turn] = (struct hbm_pim_bank){row, channel->refreshed, before};
        macs -= done;
        first = most(first + done * channel->interval, channel->refreshed + pim->rcd_cycles);
        last = first + (macs - 1) * channel->interval;
    }
    return last;
}

/* The time of the first MAC of a row, which is in sight from `seen`. */
static int64_t open_row(struct hbm_pim_channel *channel, int64_t row, int64_t seen)
{
    const struct hbm_pim_profile *pim = channel->pim;
    struct hbm_pim_bank *bank = &channel->bank[row % channel->banks_in_turn];
    int64_t next = channel->mac < 0 ? 0 : channel->mac + channel->interval;
    if (bank->row == row) {
        int64_t first = most(next, channel->gate);
        if (channel->banks_in_turn > 1)
            return first;
        channel->row_resumed = 1;
        int64_t pause = most(channel->mac + pim->rtp_cycles, channel->refresh_due);
        if (pause >= first)
            return first;
        bank->opened = refresh(channel);
    } else {
        int64_t close = seen, activate = most(seen, channel->refreshed);
        if (bank->row >= 0) {
            close = most(seen, most(bank->last + pim->rtp_cycles, bank->opened + pim->ras_cycles));
            activate = close + pim->rp_cycles;
        }
        int refreshes = channel->banks_in_turn == 1 && channel->refresh_due <= activate;
        bank->opened = refreshes ? refresh(channel) : activate;
    }
    while (channel->banks_in_turn == 1 && channel->refresh_due <= bank->opened) /* behind a long pause */
        bank->opened = refresh(channel);
    bank->row = row;
    channel->row_resumed = 0;
    return most(most(next, channel->gate), bank->opened + pim->rcd_cycles);
}

/* The run of MACs. Returns from when on the queue shows what stands behind them. */
static int64_t run_macs(struct hbm_pim_channel *channel, const struct hbm_pim_step *step)
{
    int64_t repeat = step->repeat > 1 ? step->repeat : 1, total = step->macs * repeat, done = 0, seen = channel->seen;
    int64_t mark = total - channel->pim->queue - 1, marked = channel->gate;
    for (int64_t column = step->first, left = step->macs; left > 0;) {
        int64_t row = column / channel->row_columns, here = (row + 1) * channel->row_columns - column;
        here = here < left ? here : left;
        int64_t first = open_row(channel, row, seen);
        channel->row_before = done ? channel->mac : channel->gate;
        channel->row_macs = here * repeat;
        channel->mac = row_of_macs(channel, row, first, here * repeat);
        channel->bank[row % channel->banks_in_turn].last = channel->mac;
        if (mark >= done && mark < done + here * repeat)
            marked = most(channel->gate, first + (mark - done) * channel->interval + 1);
        done += here * repeat;
        column += here;
        left -= here;
        /* The next row's first MAC comes in sight when `queue` commands are left before it. */
        seen = channel->mac - (channel->pim->queue - 1) * channel->interval;
        seen = most(seen, first + 1);
    }
    return marked;
}

/* MACs of the last run that are still waiting at this time. */
static int64_t macs_waiting(const struct hbm_pim_channel *channel, int64_t time)
{
    int64_t row_first = channel->mac - (channel->row_macs - 1) * channel->interval;
    if (time >= channel->mac)
        return 0;
    if (time >= row_first)
        return (channel->mac - time - 1) / channel->interval + 1;
    if (time >= channel->row_before)
        return channel->row_macs;
    return channel->row_macs + (channel->row_before - time - 1) / channel->interval + 1;
}

/* Transfers that come in runs of one bank group: the next of the run, or, while that has to wait, one of the run after
 * it if the queue shows it. Returns when the last is issued. */
static int64_t run_in_runs(const struct hbm_pim_channel *channel, const struct hbm_pim_step *step, int64_t start)
{
    int64_t same = channel->pim->move_same_cycles, apart = step->transfer_cycles, left = step->transfers,
            here = step->run - step->run_done, ahead = step->run, ready = start, ready_ahead = start, last = start;
    for (int64_t time = start; left > 0;) {
        int64_t sight = channel->pim->queue + 1 - macs_waiting(channel, time);
        if (time >= ready) {
            ready = time + same;
            here--;
        } else if (ahead > 0 && here + step->run - ahead < left && here < sight && time >= ready_ahead) {
            ready_ahead = time + same;
            ahead--;
        } else {
            time++;
            continue;
        }
        last = time;
        left--;
        time += apart;
        if (here == 0) {
            here = ahead;
            ahead = step->run;
            ready = ready_ahead;
            ready_ahead = time;
        }
    }
    return last;
}

static int64_t run_transfers(const struct hbm_pim_channel *channel, const struct hbm_pim_step *step, int64_t start)
{
    if (step->run)
        return run_in_runs(channel, step, start);
    return start + (step->transfers - 1) * step->transfer_cycles;
}

void hbm_pim_channel_step(struct hbm_pim_channel *channel, const struct hbm_pim_step *step)
{
    if (step->macs < 0 || step->transfers < 0 || (step->transfers && step->transfer_cycles < 1) ||
        (step->run && step->run_done >= step->run))
        bug("a step of %lld MACs and %lld transfers", (long long)step->macs, (long long)step->transfers);
    int64_t start = step->macs ? run_macs(channel, step) : channel->gate, sight = channel->pim->queue - 1;
    if (step->transfers) {
        if (!step->macs && channel->row_resumed)
            start += channel->pim->move_cycles;
        if (channel->transfer >= 0)
            start = most(start, channel->transfer + step->transfer_cycles);
        channel->transfer = run_transfers(channel, step, start);
        if (step->transfers > sight)
            channel->seen = most(channel->seen, channel->transfer - sight * step->transfer_cycles);
    }
    if (channel->mac >= 0)
        channel->seen = most(channel->seen, channel->mac - sight * channel->interval);
    if (!step->barrier)
        return;
    channel->gate = most(channel->gate, channel->mac + 1);
    if (step->transfers)
        channel->gate = most(channel->gate, channel->transfer + channel->pim->move_cycles);
}

void hbm_pim_channel_wait(struct hbm_pim_channel *channel, int64_t cycles)
{
    channel->gate = most(channel->gate, hbm_pim_channel_end(channel) + cycles);
    while (channel->refresh_due + channel->pim->rp_cycles + channel->pim->rfc_cycles <= channel->gate)
        refresh(channel); /* within the pause */
}

int64_t hbm_pim_channel_end(const struct hbm_pim_channel *channel)
{
    return most(channel->mac, channel->transfer);
}
