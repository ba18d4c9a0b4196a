/*
 * CPU lists: "2-5,8" to numbers and back.
 */
#include "cpu_list.h"

#include <errno.h>
#include <sched.h>

#include "api_limits.h"
#include "base.h"

/* Decimal below CPU_LIST_MAX. @return characters, or 0. */
static size_t cpu_parse(const char *p, unsigned int *cpu)
{
	size_t i = 0;
	unsigned int v = 0;

	while (p[i] >= '0' && p[i] <= '9' && v < CPU_LIST_MAX)
		v = v * 10 + (unsigned int)(p[i++] - '0');
	*cpu = v;
	return v < CPU_LIST_MAX ? i : 0;
}

static int range_add(struct cpu_list *out, unsigned int first, unsigned int last)
{
	for (unsigned int cpu = first; cpu <= last; cpu++) {
		for (unsigned int i = 0; i < out->n; i++) {
			if (out->cpu[i] == cpu)
				return -EINVAL;
		}
		if (out->n == API_WORKERS_MAX)
			return -EINVAL;
		out->cpu[out->n++] = cpu;
	}
	return 0;
}

int cpu_list_parse(const char *text, struct cpu_list *out)
{
	const char *p = text;
	unsigned int first, last;
	size_t used;

	out->n = 0;
	for (;;) {
		used = cpu_parse(p, &first);
		if (used == 0)
			return -EINVAL;
		p += used;
		last = first;
		if (*p == '-') {
			used = cpu_parse(++p, &last);
			if (used == 0 || last < first)
				return -EINVAL;
			p += used;
		}
		if (range_add(out, first, last) < 0)
			return -EINVAL;
		if (*p == '\0')
			return 0;
		if (*p++ != ',')
			return -EINVAL;
	}
}

int cpu_list_affinity(struct cpu_list *out)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return -errno;
	out->n = 0;
	for (unsigned int cpu = 0; cpu < CPU_LIST_MAX && cpu < CPU_SETSIZE; cpu++) {
		if (CPU_ISSET(cpu, &set))
			out->cpu[out->n++] = cpu;
	}
	return out->n == 0 ? -ENODEV : 0;
}

int cpu_list_check(const struct cpu_list *l, const struct cpu_list *allowed)
{
	for (unsigned int i = 0; i < l->n; i++) {
		unsigned int j = 0;

		while (j < allowed->n && allowed->cpu[j] != l->cpu[i])
			j++;
		if (j == allowed->n)
			return -EINVAL;
	}
	return 0;
}

void cpu_list_format(const struct cpu_list *l, char *buf, size_t size)
{
	size_t len = 0;

	buf[0] = '\0';
	for (unsigned int i = 0; i < l->n; i++) {
		int n = snprintf(buf + len, size - len, "%s%u", i == 0 ? "" : ",", l->cpu[i]);

		if (n < 0 || (size_t)n >= size - len) {
			buf[len] = '\0';
			return;
		}
		len += (size_t)n;
	}
}
