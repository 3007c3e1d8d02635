#include "rank_mail.h"

#include <stdlib.h>
#include <string.h>

struct box { /* one channel */
    int sender, receiver;
    size_t bytes;
    int full; /* a message between two devices of this rank lies here */
    struct wire_header header;
    char *data;
};

struct mail {
    struct comm *comm;
    const int *home;
    int with_data;
    int first_box[N_PROGRAMS + 1];
    struct box *boxes; /* of all programs */
    struct wire *wire;
};

static void *take(size_t count, size_t bytes)
{
    void *memory = calloc(count + 1, bytes);
    if (!memory)
        bug("out of memory");
    return memory;
}

static void address_boxes(struct mail *mail, const struct program *program, int program_id)
{
    for (int i = 0; i < program->n_instrs; i++) {
        const struct instr *instr = &program->instrs[i];
        if (instr->op->kind != OP_SEND && instr->op->kind != OP_RECV)
            continue;
        struct box *box = &mail->boxes[mail->first_box[program_id] + instr->channel];
        int send = instr->op->kind == OP_SEND;
        box->sender = send ? program->device : instr->peer;
        box->receiver = send ? instr->peer : program->device;
        box->bytes = program->slots[send ? instr->in[0] : instr->out[0]].bytes;
    }
}

struct mail *mail_new(struct comm *comm, const struct plan *plan, const int *home, int with_data)
{
    struct mail *mail = take(1, sizeof *mail);
    mail->comm = comm;
    mail->home = home;
    mail->with_data = with_data;
    for (int p = 0; p < N_PROGRAMS; p++)
        mail->first_box[p + 1] = mail->first_box[p] + plan->n_channels[p];
    int n = mail->first_box[N_PROGRAMS], n_ranks = comm_size(comm);
    mail->boxes = take((size_t)n, sizeof *mail->boxes);
    for (int p = 0; p < N_PROGRAMS; p++)
        for (int d = 0; d < plan->n_devices; d++)
            address_boxes(mail, &plan->programs[p][d], p);
    size_t *max_bytes = take((size_t)n + (size_t)n_ranks, sizeof *max_bytes); /* behind the boxes: notices by sender */
    for (int b = 0; b < n; b++)
        max_bytes[b] = with_data ? mail->boxes[b].bytes : 0;
    mail->wire = wire_new(comm, n + n_ranks, max_bytes);
    free(max_bytes);
    return mail;
}

void mail_free(struct mail *mail)
{
    if (!mail)
        return;
    wire_free(mail->wire);
    for (int b = 0; b < mail->first_box[N_PROGRAMS]; b++)
        free(mail->boxes[b].data);
    free(mail->boxes);
    free(mail);
}

void mail_post(struct mail *mail, int program_id, int channel, const struct wire_header *header, const void *data,
               size_t bytes)
{
    int number = mail->first_box[program_id] + channel;
    struct box *box = &mail->boxes[number];
    if (mail->home[box->receiver] != comm_rank(mail->comm)) {
        wire_send(mail->wire, mail->home[box->receiver], number, header, data, bytes);
        return;
    }
    if (box->full)
        bug("channel %d of program %d has a message already", channel, program_id);
    if (bytes && !box->data)
        box->data = take(1, box->bytes);
    if (bytes)
        memcpy(box->data, data, bytes);
    box->header = *header;
    box->full = 1;
}

int mail_is_full(const struct mail *mail, int program_id, int channel)
{
    return mail->boxes[mail->first_box[program_id] + channel].full;
}

int mail_arrived(struct mail *mail, int program_id, int channel, struct wire_header *header, const void **data)
{
    int number = mail->first_box[program_id] + channel;
    struct box *box = &mail->boxes[number];
    if (mail->home[box->sender] != comm_rank(mail->comm))
        return wire_arrived(mail->wire, mail->home[box->sender], number, header, data);
    *header = box->header;
    *data = box->data;
    return box->full;
}

void mail_taken(struct mail *mail, int program_id, int channel)
{
    int number = mail->first_box[program_id] + channel;
    struct box *box = &mail->boxes[number];
    if (mail->home[box->sender] != comm_rank(mail->comm))
        wire_taken(mail->wire, number);
    else
        box->full = 0;
}

void mail_announce(struct mail *mail, int rank)
{
    const struct wire_header header = {0, 0};
    wire_send(mail->wire, rank, mail->first_box[N_PROGRAMS] + comm_rank(mail->comm), &header, NULL, 0);
}

int mail_is_announced(struct mail *mail, int rank)
{
    struct wire_header header;
    const void *data;
    int number = mail->first_box[N_PROGRAMS] + rank;
    if (!wire_arrived(mail->wire, rank, number, &header, &data))
        return 0;
    wire_taken(mail->wire, number);
    return 1;
}

enum status mail_wait(struct mail *mail, struct fault *fault)
{
    return wire_wait(mail->wire, fault);
}
