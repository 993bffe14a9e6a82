package licence_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ashlar-go/ashlar/cmd/ashlar/internal/licence"
)

func TestTextsAreTold(t *testing.T) {
	t.Parallel()
	for want, text := range map[string]string{
		"MIT":          "Copyright\n\nPermission is hereby granted, free of charge, to any\n person obtaining a copy of this software",
		"Apache-2.0":   "Apache License\n  Version 2.0, January 2004",
		"BSD-2-Clause": "Redistribution and use in source and binary forms, with or without modification",
		"BSD-3-Clause": "Redistribution and use in source and binary forms. Neither the name may be used to endorse or promote products",
		"ISC":          "Permission to use, copy, modify, and distribute this software for any purpose with or without fee is hereby granted, provided that the above copyright notice and this permission notice appear in all copies.",
		"0BSD":         "Permission to use, copy, modify, and/or distribute this software for any purpose with or without fee is hereby granted.",
		"MPL-2.0":      "Mozilla Public License Version 2.0\n" + strings.Repeat("words ", 200) + "GNU General Public License",
		"GPL":          "GNU GENERAL PUBLIC LICENSE\n Version 3",
		"LGPL":         "GNU LESSER GENERAL PUBLIC LICENSE",
		"AGPL":         "GNU AFFERO GENERAL PUBLIC LICENSE",
		"Unlicense":    "This is free and unencumbered software released into the public domain.",
		"unknown":      "All rights reserved. Do not copy.",
	} {
		if got := licence.Of([]byte(text)); got != want {
			t.Errorf("%s was taken for %s", want, got)
		}
	}
}

// TestLinkedModules: those of a program that is linked from a good and a
// bad module, and not those that only its tests use.
func TestLinkedModules(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	put := func(name, text string) {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("go.mod", "module example.com/app\n\ngo 1.26\n\nrequire (\n\texample.com/bad v0.0.0\n\texample.com/good v0.0.0\n\texample.com/kit v0.0.0\n)\n\n"+
		"replace (\n\texample.com/bad => ./bad\n\texample.com/good => ./good\n\texample.com/kit => ./kit\n)\n")
	put("main.go", "package main\n\nimport (\n\t_ \"example.com/bad\"\n\t_ \"example.com/good\"\n)\n\nfunc main() {}\n")
	put("main_test.go", "package main\n\nimport _ \"example.com/kit\"\n")
	for _, m := range []string{"bad", "good", "kit"} {
		put(m+"/go.mod", "module example.com/"+m+"\n\ngo 1.26\n")
		put(m+"/m.go", "package "+m+"\n")
	}
	put("good/LICENSE.md", "Permission is hereby granted, free of charge, to any person obtaining a copy")
	put("good/COPYING", "Apache License Version 2.0")

	modules, err := licence.Linked(t.Context(), dir, ".")
	if err != nil || len(modules) != 2 {
		t.Fatalf("%+v, %v", modules, err)
	}
	if bad := modules[0]; bad.Path != "example.com/bad" || !slices.Equal(bad.Licences, []string{licence.Unknown}) {
		t.Errorf("a module without a licence: %+v", bad)
	}
	if good := modules[1]; !slices.Equal(good.Licences, []string{"Apache-2.0", "MIT"}) {
		t.Errorf("a module with two: %+v", good)
	}
	if _, err := licence.Linked(t.Context(), dir, "./nowhere"); err == nil {
		t.Error("a package that is not there has licences")
	}
}
