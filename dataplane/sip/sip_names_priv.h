/*
 * From the name in a header line to its number, for the scan: tables that are made
 * when the program is loaded.
 */
#ifndef SALLYPORT_SIP_NAMES_PRIV_H
#define SALLYPORT_SIP_NAMES_PRIV_H

#include "sip_chars_priv.h"
#include "sip_scan.h"

/* Length, first and last letter name a header: its slot, by a multiplier for which no two of ours
 * share one (a test looks for each). */
#define SIP_NAME_SLOTS 256
#define SIP_NAME_MULTIPLIER 0x8e73ca47u

struct sip_name_tables {
	uint8_t slots[SIP_NAME_SLOTS];
	uint8_t letters[256];	      /* compact names */
	char rows[SIP_HDR_COUNT][32]; /* in small letters, and the colon behind it */
};
extern struct sip_name_tables sip_names;

static inline uint32_t sip_name_slot(const char *name, size_t len)
{
	uint32_t key = (uint32_t)len & 0xffff;

	key |= (uint32_t)((unsigned char)name[0] | 0x20) << 16;
	key |= (uint32_t)((unsigned char)name[len - 1] | 0x20) << 24;
	return key * SIP_NAME_MULTIPLIER >> 24;
}

#if defined(__AVX2__)
/**
 * The name in front of a colon.
 * @param x    32 characters from the first of the name on, no control character up to the colon.
 * @param len  1..31: x[len] is the first colon.
 * @return SIP_HDR_OTHER also for what is no token.
 */
static inline enum sip_header_id sip_name_find(__m256i x, const char *name, size_t len)
{
	unsigned int id;
	__m256i text;
	uint32_t same;

	if (len == 1)
		return (enum sip_header_id)sip_names.letters[(unsigned char)name[0]];
	id = sip_names.slots[sip_name_slot(name, len)];
	text = sip_load32(sip_names.rows[id]);
	/* The bit is set in "-" and ":" too, and only control characters become either by it. */
	x = _mm256_or_si256(x, _mm256_set1_epi8(0x20));
	same = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(x, text));
	/* Up to the colon: no name that is longer or shorter has it there. */
	return ~same << (31 - len) == 0 ? (enum sip_header_id)id : SIP_HDR_OTHER;
}
#endif

#endif
