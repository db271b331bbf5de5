/* SPDX-License-Identifier: MIT */
/*
 * sketch_schema: the statements of version 5, for sketches of the tail (sketch.h). Private to
 * retrieval_schema.c.
 *
 * A chunk's sketch goes with it by triggers, so that builds that know of none keep them right, too.
 * They are of each row, and of the tail's alone: what is deleted or merged costs one look-up, and a
 * statement that finds nothing to delete, as each ingest sends one, costs nothing. A chunk that
 * comes back to the tail, or gets another vector in it, makes that no sketch counts. The functions
 * alone may name that column: reembed_switch.c drops it, and could not with a trigger's condition.
 *
 * Their rights are those of the tables' owner, so that a role of the application's that may write
 * chunks alone still can; hence a search path that nobody else sets.
 */
#ifndef TENANTGATE_RETRIEVAL_SKETCH_SCHEMA_H
#define TENANTGATE_RETRIEVAL_SKETCH_SCHEMA_H

#define MAKE_SKETCH \
	"CREATE TABLE IF NOT EXISTS public.chunk_sketch (" \
	" id bigint PRIMARY KEY," \
	" sketch bit varying NOT NULL)"
#define ADD_SKETCHED \
	"ALTER TABLE public.retrieval" \
	" ADD COLUMN IF NOT EXISTS sketched_of bigint NOT NULL DEFAULT 0," \
	" ADD COLUMN IF NOT EXISTS sketched_to bigint NOT NULL DEFAULT 0"

#define SKETCH_TRIGGER \
	" RETURNS pg_catalog.trigger LANGUAGE plpgsql SECURITY DEFINER" \
	" SET search_path = pg_catalog, pg_temp AS $$ BEGIN"

#define MAKE_SKETCH_CHANGED \
	"CREATE OR REPLACE FUNCTION public.chunk_changed()" SKETCH_TRIGGER \
	" IF NOT NEW.tail THEN DELETE FROM public.chunk_sketch WHERE id" PG_EQUALS "OLD.id;" \
	" ELSIF pg_catalog.record_image_ne(ROW(OLD.tail, OLD.embedding)," \
	"  ROW(NEW.tail, NEW.embedding)) THEN UPDATE public.retrieval SET sketched_of = 0" \
	"  WHERE one AND sketched_of" PG_DIFFERS "0; END IF;" \
	" RETURN NULL; END $$"
#define ADD_SKETCH_CHANGED \
	"CREATE OR REPLACE TRIGGER chunk_changed AFTER UPDATE ON public.chunk" \
	" FOR EACH ROW WHEN (OLD.tail OR NEW.tail)" \
	" EXECUTE FUNCTION public.chunk_changed()"

#define MAKE_SKETCH_GONE \
	"CREATE OR REPLACE FUNCTION public.chunk_gone()" SKETCH_TRIGGER \
	" DELETE FROM public.chunk_sketch WHERE id" PG_EQUALS "OLD.id; RETURN NULL; END $$"
#define ADD_SKETCH_GONE \
	"CREATE OR REPLACE TRIGGER chunk_gone AFTER DELETE ON public.chunk" \
	" FOR EACH ROW WHEN (OLD.tail) EXECUTE FUNCTION public.chunk_gone()"

/* For databases in use, and for new ones. */
#define SKETCH_STEPS \
	{ 5, NULL, MAKE_SKETCH }, { 5, NULL, ADD_SKETCHED }, { 5, NULL, MAKE_SKETCH_CHANGED }, \
	    { 5, NULL, ADD_SKETCH_CHANGED }, { 5, NULL, MAKE_SKETCH_GONE }, \
	{ \
		5, NULL, ADD_SKETCH_GONE \
	}
#define SKETCH_SCHEMA \
	MAKE_SKETCH, ADD_SKETCHED, MAKE_SKETCH_CHANGED, ADD_SKETCH_CHANGED, MAKE_SKETCH_GONE, \
	    ADD_SKETCH_GONE

#endif
