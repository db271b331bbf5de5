/* SPDX-License-Identifier: MIT */
/*
 * meter_table: where a worker keeps its series (loop/meter.h). Private to loop/.
 */
#ifndef TENANTGATE_LOOP_METER_TABLE_H
#define TENANTGATE_LOOP_METER_TABLE_H

#include "tenantgate/loop/meter.h"

#define METER_SLOTS	   2048	/* a power of two, and more than all series of all families */
#define METER_FAMILIES_MAX 40

/* Slots are published once, and never taken out; the counts of families are the worker's alone. */
struct meter_table {
	struct meter_series	*_Atomic slots[METER_SLOTS];	/* owned */
	struct {
		const struct meter_family *family;	/* NULL: unused */
		unsigned		   series;
	} families[METER_FAMILIES_MAX];
};

void	meter_table_free(struct meter_table *);

#endif
