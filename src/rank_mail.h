/* rank_mail.h - what devices send to each other within a run of a program, on one rank or between ranks. */
#ifndef RANK_MAIL_H
#define RANK_MAIL_H

#include "cluster/wire.h"
#include "plan/program.h"

struct mail;

/* Local. Is there a message of an earlier use that its receiver, on this rank, has not taken yet? */
int mail_is_full(const struct mail *mail, int program_id, int channel);

/* Local. The messages of all programs of a plan; device d lives on rank home[d] (borrowed). `with_data`: memory for the
 * messages' contents. */
struct mail *mail_new(struct comm *comm, const struct plan *plan, const int *home, int with_data);
void mail_free(struct mail *mail);

/* Local. A SEND: the message of a channel of a program, `bytes` of data (0: none). */
void mail_post(struct mail *mail, int program_id, int channel, const struct wire_header *header, const void *data,
               size_t bytes);

/* Local. A RECV: 1 when the message is here; header and data are valid until mail_taken. */
int mail_arrived(struct mail *mail, int program_id, int channel, struct wire_header *header, const void **data);
void mail_taken(struct mail *mail, int program_id, int channel);

/* Local. Tells `rank` that this rank has come to the next all-reduce; 1 when that rank has told so, which is then
 * used up. Between two ranks notices count: the n-th one is of the n-th all-reduce. */
void mail_announce(struct mail *mail, int rank);
int mail_is_announced(struct mail *mail, int rank);

/* Local, but waits: until a message from another rank arrives that mail_arrived or
 * mail_is_announced was asked for. */
enum status mail_wait(struct mail *mail, struct fault *fault);

#endif
