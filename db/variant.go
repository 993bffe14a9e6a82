package db

import (
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// spoken leaves those of the migrations in files that a dialect applies, and
// reports whether there is any.
func spoken(files fs.FS, dialect Dialect) (fs.FS, bool, error) {
	names, err := fs.Glob(files, "*.sql")
	if err != nil {
		return nil, false, err
	}
	versions := make(map[int64]variants, len(names))
	ours := make(map[string]bool, len(names))
	for _, name := range names {
		v, err := variantOf(name)
		if err != nil {
			return nil, false, err
		}
		if v.version == 0 { // goose passes over it, and complains if nothing is left
			ours[name] = true
			continue
		}
		if versions[v.version] == nil {
			versions[v.version] = variants{}
		}
		if err := versions[v.version].add(v); err != nil {
			return nil, false, err
		}
		ours[name] = v.dialect == "" || v.dialect == dialect
	}
	for _, is := range ours {
		if is {
			return only{FS: files, names: ours}, true, nil
		}
	}
	return nil, false, nil
}

// variant is what the name of a migration's file says.
type variant struct {
	file    string
	version int64 // 0 for a file that is no migration
	name    string
	dialect Dialect // empty for every dialect
}

func variantOf(file string) (variant, error) {
	number, rest, ok := strings.Cut(strings.TrimSuffix(file, ".sql"), "_")
	version, err := strconv.ParseInt(number, 10, 64)
	if !ok || err != nil || version < 1 {
		return variant{file: file}, nil //nolint:nilerr // it is no error
	}
	name, dialect, dotted := strings.Cut(rest, ".")
	switch d := Dialect(dialect); {
	case !dotted, d == SQLite, d == Postgres:
		return variant{file: file, version: version, name: name, dialect: d}, nil
	}
	return variant{}, fmt.Errorf("%s: %q is no dialect: name the file %s_%s.sql for every database, or %s_%s.%s.sql and %s_%s.%s.sql",
		file, dialect, number, name, number, name, SQLite, number, name, Postgres)
}

// variants are the files of one version, by their dialect.
type variants map[Dialect]variant

func (all variants) add(v variant) error {
	for dialect, other := range all {
		switch {
		case dialect == v.dialect, dialect == "", v.dialect == "":
			return fmt.Errorf("%s and %s both are version %d: give one of them another number", other.file, v.file, v.version)
		case other.name != v.name:
			return fmt.Errorf("%s and %s are version %d of two dialects and must have one name: it is the same step on both", other.file, v.file, v.version)
		}
	}
	all[v.dialect] = v
	return nil
}

// only hides the files that names does not mark.
type only struct {
	fs.FS

	names map[string]bool
}

// ReadDir implements [fs.ReadDirFS], by which files are found.
func (o only) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(o.FS, name)
	kept := entries[:0:0]
	for _, e := range entries {
		if path.Clean(name) != "." || o.names[e.Name()] {
			kept = append(kept, e)
		}
	}
	return kept, err
}
