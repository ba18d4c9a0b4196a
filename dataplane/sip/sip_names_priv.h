/*
 * From the name in a header line to its number, for the scan: tables that are made
 * when the program is loaded.
 */
#ifndef SALLYPORT_SIP_NAMES_PRIV_H
#define SALLYPORT_SIP_NAMES_PRIV_H

#include "sip_chars_priv.h"
#include "sip_scan.h"

/* Length and first letters name a header: its slot, by a multiplier for which no two of ours share
 * one (a test looks for each). */
#define SIP_NAME_SLOTS 128
#define SIP_NAME_MULTIPLIER 0x213b759du

struct sip_name_tables {
	char rows[SIP_NAME_SLOTS][32];	 /* in small letters, and ": " behind it */
	uint32_t masks[SIP_NAME_SLOTS];	 /* which characters of a row there are; all of no row */
	uint32_t begins[SIP_NAME_SLOTS]; /* name_len and id as a sip_header_ref has them */
	uint8_t ids[SIP_NAME_SLOTS];
	uint8_t letters[256]; /* compact names */
};
extern struct sip_name_tables sip_names;

/** @param head  the first four characters in the order of memory; of shorter names those behind
 *               it too: a colon and a blank. */
static inline uint32_t sip_name_slot(uint32_t head, uint32_t len)
{
	return ((head | 0x20202020) + (len << 27)) * SIP_NAME_MULTIPLIER >> 25;
}

#if defined(__AVX2__)
/**
 * Look for a long name that we know, a colon and a blank.
 * @param x    32 characters from the first of the name on, no control character in the name.
 * @param len  0..32: characters before the first colon.
 * @return its slot; SIP_NAME_SLOTS: none of ours, or written otherwise.
 */
static inline uint32_t sip_name_find(__m256i x, uint32_t len)
{
	uint32_t slot = sip_name_slot((uint32_t)_mm256_cvtsi256_si32(x), len), same;
	__m256i text = sip_load32(sip_names.rows[slot]);

	/* The bit is set in "-", ":" and " " too, and only control characters become these by it.
	 */
	x = _mm256_or_si256(x, _mm256_set1_epi8(0x20));
	same = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(x, text));
	return (~same & sip_names.masks[slot]) == 0 ? slot : SIP_NAME_SLOTS;
}
#endif

#endif
