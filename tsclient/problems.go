package tsclient

import (
	"maps"
	"slices"
	"strings"

	"github.com/ashlar-go/ashlar/fault"
)

// problems writes what can go wrong, by code, and which operation takes, answers
// and fails with what.
func (w *writer) problems() {
	status := map[string]int{ // what comes from before any operation is chosen
		fault.ErrNotFound.Code(): fault.ErrNotFound.Status(), fault.ErrNotAllowed.Code(): fault.ErrNotAllowed.Status(),
	}
	for _, s := range w.specs {
		for _, f := range s.Faults() {
			status[f.Code()] = f.Status()
		}
	}
	w.line("")
	w.line("/** Every problem that this API knows, by its code. */")
	w.line("export interface Problems {")
	for _, code := range slices.Sorted(maps.Keys(status)) {
		if code == fault.ErrInvalid.Code() {
			w.line("  %s: ProblemOf<%s, %d> & { errors: Violation[] };", property(code), quote(code), status[code])
			continue
		}
		w.line("  %s: ProblemOf<%s, %d>;", property(code), quote(code), status[code])
	}
	w.line("}")
	w.line("")
	w.line("export type ProblemCode = keyof Problems;")
	w.line("")
	w.line("/** A problem, told apart by its code. */")
	w.line("export type Problem = Problems[ProblemCode];")
	w.line("")
	w.line("/** Whether the service has refused with one of the codes, or, if none is given, with one that is known. */")
	w.line("export function isProblem<C extends ProblemCode>(error: unknown, ...codes: C[]): error is ApiError<Problems[C]> {")
	w.line("  return error instanceof ApiError && (codes.length === 0 || (codes as string[]).includes(error.code));")
	w.line("}")
	w.line("")
	w.line("/** What each operation takes, answers, and fails with of its own. */")
	w.line("export interface Operations {")
	for _, s := range w.specs {
		takes, fails := "Record<string, never>", "never"
		if len(s.In.Object.Fields) > 0 {
			takes = inputName(s)
		}
		if codes := codesOf(s.Fails); len(codes) > 0 {
			for i, c := range codes {
				codes[i] = quote(c)
			}
			fails = strings.Join(codes, " | ")
		}
		w.line("  %s: { input: %s; answer: %s; fails: %s };", property(s.Name), takes, w.answer(s), fails)
	}
	w.line("}")
}

// brandings writes the types of ids, and of what JSON has no type for.
func (w *writer) brandings() {
	w.line("")
	w.line("/** A moment as RFC 3339 writes it: \"2026-11-22T10:00:00.000Z\". */")
	w.line("export type Timestamp = string;")
	w.line("")
	w.line("/** Bytes in base64. */")
	w.line("export type Base64 = string;")
	w.line("")
	w.line("/** Any JSON. */")
	w.line("export type Json = null | boolean | number | string | Json[] | { [member: string]: Json };")
	if len(w.brands.all()) == 0 {
		return
	}
	w.line("")
	w.line("declare const brand: unique symbol;")
	w.line("/** A text that names one kind of thing: it can be used as a text, but not in place of another name. */")
	w.line("export type Brand<Name extends string> = string & { readonly [brand]: Name };")
	w.line("")
	for _, name := range w.brands.all() {
		w.line("export type %s = Brand<%s>;", name, quote(name))
		w.line("export const %s = (text: string): %s => text as %s;", name, name, name)
	}
}
