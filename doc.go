// Package ashlar puts an application together: operations, database,
// accounts, listeners and the commands that go with them.
//
// A program is one screen:
//
//	func main() { ashlar.Main(run) }
//
//	func run(ctx context.Context) error {
//		cfg, err := config.Load[ashlar.Config](os.LookupEnv)
//		if err != nil {
//			return err
//		}
//		app, err := ashlar.Open(ctx, cfg)
//		if err != nil {
//			return err
//		}
//		defer app.Close()
//
//		app.Grant("clerk", notes.Read, notes.Write)
//		app.Mount(notes.New(app.DB).Module())
//		return app.Run(ctx)
//	}
//
// What a package offers is declared in a [Module]. Mistakes in declarations
// are reported together, with file and line, before anything is served.
//
// Two listeners are opened: a public one with the operations, and a private
// one with /livez, /readyz, /startupz and /metrics. When the context ends the
// app turns readiness off, finishes what it has begun, and closes.
package ashlar
