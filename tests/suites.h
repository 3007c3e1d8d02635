/* suites.h - the table of suites that the Makefile writes from the names of the test files. */
#ifndef TESTS_SUITES_H
#define TESTS_SUITES_H

#include <check.h>

typedef Suite *suite_function(void);
extern suite_function *const suites[];

#endif
