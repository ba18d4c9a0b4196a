/*
 * Reading more bytes at once than a text may have left.
 */
#ifndef SALLYPORT_NAT_LOAD_H
#define SALLYPORT_NAT_LOAD_H

#include "base.h"

/* Sanitizers know of no pages: what lies there is another's. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define LOAD_IN_PAGE false
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define LOAD_IN_PAGE false
#endif
#endif
#ifndef LOAD_IN_PAGE
#define LOAD_IN_PAGE true
#endif

/** No page is smaller. */
#define LOAD_PAGE 4096u

/**
 * May n bytes be read at p? Bytes at or behind end are read where they lie in the page of p,
 * since that cannot fault, but must never make a difference.
 */
static inline bool load_fits(const char *p, const char *end, unsigned int n)
{
	return end - p >= (ptrdiff_t)n ||
	       (LOAD_IN_PAGE && end > p && ((uintptr_t)p & (LOAD_PAGE - 1)) <= LOAD_PAGE - n);
}

#endif
