/* page_sections.h - the parts of a report, each in a file of its own: what a run has to tell, as headings, tables and
 * figures. A part that a run has nothing for adds nothing.
 */
#ifndef REPORT_PAGE_SECTIONS_H
#define REPORT_PAGE_SECTIONS_H

#include "report/document.h"
#include "report/page_axes.h"
#include "report/subject.h"

/* Local. What ran: facts of one run, or a table of several. Before the first heading. */
void page_add_head(struct document *document, const struct subject *subject, int n);

/* Local. Every sum and order that must hold in the files, with its verdict; the verdict on all of them comes first. The
 * section of several runs is one. Returns whether all hold. */
int page_add_verdict(struct document *document, const struct subject *subject, int n);
void page_add_validity(struct document *document, const struct subject *subject, int n);

/* Local. Training: loss against steps, virtual time and energy, with modes and decisions; phases. */
void page_add_loss(struct document *document, const struct subject *subject);

/* Local. Decisions of the switch and every number that they rest on. */
void page_add_switch(struct document *document, const struct subject *subject);

/* Local. Errors on the test set by horizon, beside those of simple forecasts. */
void page_add_errors(struct document *document, const struct subject *subject);

/* Local. What each device does in a step of each mode, from the trace in the run's folder; without one the phases.
 * Faults: a trace that is damaged or foreign. */
enum status page_add_timeline(struct document *document, const struct subject *subject, struct fault *fault);

/* Local. Faults of the emulated hardware: tables. Marks in figures: of training over the axis of a curve or over
 * virtual time, of serving over virtual time since start_ps; the figure's note says what they are. */
void page_add_faults(struct document *document, const struct subject *subject);
void page_mark_faults(struct figure *figure, const struct run *run, const struct progress_curve *curve,
                      enum progress_axis axis);
void page_mark_faults_in_time(struct figure *figure, const struct run *run);
void page_mark_serving_faults(struct figure *figure, const struct serving_run *run, uint64_t start_ps);

/* Local. Where virtual time and energy went: of devices, by kernel class and part; of serving runs
 * page_add_serving_energy within it. */
void page_add_breakdown(struct document *document, const struct subject *subject);

/* Local. Rates of kernels under the peak and the bandwidth of each device profile. */
void page_add_roofline(struct document *document, const struct subject *subject);

/* Local. Crossbars: what lies in them, how often they were written, what they survive. */
void page_add_wear(struct document *document, const struct subject *subject);

/* Local. Serving: latencies, load over time, energy of instances and tokens. */
void page_add_latency(struct document *document, const struct subject *subject);
void page_add_load(struct document *document, const struct subject *subject);
void page_add_serving_energy(struct document *document, const struct subject *subject);

/* Local. Several runs: overlaid curves, and quantities side by side with ratios. */
void page_add_comparison(struct document *document, const struct subject *subject, int n);

/* Local. All of it, in order. *is_valid: no check has failed. */
enum status page_compose(struct document *document, const struct subject *subject, int n, int *is_valid,
                         struct fault *fault);

#endif
