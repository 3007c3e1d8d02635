#include <stdio.h>
#include <stdlib.h>

#include "config/reading.h"
#include "config/value.h"

struct printer {
    FILE *out;
    const struct job *job;
    const char *folder;
};

static void print_section(const struct printer *printer, const struct node *node, const void *base, int depth,
                          int dash);

/* Is any value below this node given? An empty section would be refused when read again. */
static int has_value(const struct node *node, const void *base)
{
    for (const struct node *child = node->child; child; child = child->next)
        if (child->list || (child->child ? has_value(child, base) : value_is_set(child->key, base)))
            return 1;
    return 0;
}

static void print_list(const struct printer *printer, const struct node *node, int depth)
{
    const char *job = (const char *)printer->job;
    int n = *(const int *)(job + node->list->count_offset);
    if (n > 0)
        fprintf(printer->out, "%*s%s:\n", 2 * depth, "", node->name);
    for (int i = 0; i < n; i++)
        print_section(printer, node, job + node->list->offset + (size_t)i * node->list->element_bytes, depth + 2, 1);
}

/* With `dash` the first line starts a list element. */
static void print_section(const struct printer *printer, const struct node *node, const void *base, int depth, int dash)
{
    for (const struct node *child = node->child; child; child = child->next) {
        if (child->list) {
            print_list(printer, child, depth);
        } else if (child->child && has_value(child, base)) {
            fprintf(printer->out, "%*s%s:\n", 2 * depth, "", child->name);
            print_section(printer, child, base, depth + 1, 0);
        } else if (!child->child && value_is_set(child->key, base)) {
            fprintf(printer->out, "%*s%s%s: ", 2 * depth - 2 * dash, "", dash ? "- " : "", child->name);
            value_print(printer->out, child->key, base, printer->folder);
            fputc('\n', printer->out);
            dash = 0;
        }
    }
}

char *job_print(struct arena *arena, const struct job *job)
{
    char *text = NULL;
    size_t size = 0;
    struct printer printer = {open_memstream(&text, &size), job, path_folder(arena, job->source)};
    if (!printer.out)
        bug("no memory for the text of a job");
    print_section(&printer, tree_new(arena), job, 0, 0);
    fclose(printer.out);
    char *copy = arena_string(arena, text);
    free(text);
    return copy;
}
