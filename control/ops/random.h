/*
 * Random bytes by the thousand: OpenSSL's generator asks the kernel each time whether the process
 * has forked, and sets up a cipher for four bytes as for four thousand.
 */
#ifndef SALLYPORT_CONTROL_RANDOM_H
#define SALLYPORT_CONTROL_RANDOM_H

#include "base.h"

/**
 * Unguessable bytes, from a pool of the calling thread's that OpenSSL fills. Never fails: without
 * a generator the program ends, since guessable tags and branches would open every dialog to
 * strangers. Not for keys, which are to stay secret longer than a pool does.
 */
void random_bytes(void *out, size_t n);

#endif
