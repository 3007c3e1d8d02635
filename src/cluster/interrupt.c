#include "cluster/interrupt.h"

#include <signal.h>
#include <string.h>

enum { LAST_SIGNAL = 3 };

/* The one thing that a signal handler can reach. */
static volatile sig_atomic_t caught;

static void count(int number)
{
    if (++caught < LAST_SIGNAL)
        return;
    signal(number, SIG_DFL);
    raise(number);
}

void interrupts_watch(void)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGUSR1};
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = count;
    action.sa_flags = SA_RESTART;
    sigemptyset(&action.sa_mask);
    for (unsigned i = 0; i < sizeof numbers / sizeof *numbers; i++)
        sigaction(numbers[i], &action, NULL);
}

int interrupts_caught(void)
{
    return caught;
}
