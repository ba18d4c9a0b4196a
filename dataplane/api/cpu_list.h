/*
 * CPU lists as configuration writes them: "1", "2-5,8". Bounded, each CPU once.
 */
#ifndef SALLYPORT_API_CPU_LIST_H
#define SALLYPORT_API_CPU_LIST_H

#include <stddef.h>

#define CPU_LIST_MAX 1024 /* highest CPU number + 1; CPU_SETSIZE */

struct cpu_list {
	unsigned int n;
	unsigned int cpu[CPU_LIST_MAX];
};

/** @return 0 or -EINVAL (syntax, a CPU twice, more than API_WORKERS_MAX). */
int cpu_list_parse(const char *text, struct cpu_list *out);
/** CPUs that this process may run on. @return 0 or negative errno. */
int cpu_list_affinity(struct cpu_list *out);
/** @return 0 when all of l are in allowed, else -EINVAL. */
int cpu_list_check(const struct cpu_list *l, const struct cpu_list *allowed);
/** "1,2,3", cut where it does not fit. */
void cpu_list_format(const struct cpu_list *l, char *buf, size_t size);

#endif
