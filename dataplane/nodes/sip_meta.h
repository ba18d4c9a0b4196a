/*
 * What the SIP nodes tell each other in pkt_meta.value: the realm in its low half, as udp put
 * it, and above it sip_admit's entry of the lists, then sip_police's classes.
 */
#ifndef SALLYPORT_NODES_SIP_META_H
#define SALLYPORT_NODES_SIP_META_H

#include "api_limits.h"
#include "worker.h"

static_assert(API_LIST_MAX <= UINT16_MAX, "high half of the value");

static inline uint16_t sip_meta_realm(const struct pkt_meta *meta)
{
	return (uint16_t)meta->value % API_REALMS_MAX;
}

/** sip_admit to sip_police: entry of the lists (source_list.h). */
static inline void sip_meta_set_listed(struct pkt_meta *meta, uint16_t listed)
{
	meta->value = (uint16_t)meta->value | (uint32_t)listed << 16;
}

static inline uint16_t sip_meta_listed(const struct pkt_meta *meta)
{
	return (uint16_t)(meta->value >> 16);
}

/** sip_police to sip_up. */
static inline void sip_meta_set_classes(
	struct pkt_meta *meta, enum source_class source_class, enum sip_class sip_class)
{
	meta->value =
		(uint16_t)meta->value | (uint32_t)source_class << 16 | (uint32_t)sip_class << 24;
}

static inline enum source_class sip_meta_source_class(const struct pkt_meta *meta)
{
	return (enum source_class)(meta->value >> 16 & 0xff);
}

static inline enum sip_class sip_meta_sip_class(const struct pkt_meta *meta)
{
	return (enum sip_class)(meta->value >> 24);
}

#endif
