// Package supervise runs a server as several processes that share its sockets.
//
// The one idea: a small parent holds the listening sockets and runs no code of
// the application, so there is always something that can start the next worker
// before the last one leaves. From that follow the restart of a worker that
// crashed, the [Parent.Reload] that no client notices, and the return to the
// program that worked when a new one does not.
//
//	func main() {
//		if w, err := supervise.Join(); err != nil || w != nil {
//			work(w) // listen with w.Listener, say w.Ready, leave when w.Draining closes
//			return
//		}
//		l, err := net.Listen("tcp", "127.0.0.1:8080")
//		p, err := supervise.New(supervise.Config{
//			Workers: 2, Sockets: []supervise.Socket{{Name: "public", Listener: l}},
//		})
//		err = p.Run(ctx)
//	}
//
// Parent and worker are the same program. They talk over a socket pair of their
// own: a worker says that it is ready, the parent says when to leave, and both
// pass connections. A worker whose parent is gone leaves too, however it went.
//
// [Parent.Serve] lets other processes of the same user ask for status, reload,
// logs and the end; [Connect] is their side.
//
// Workers need Linux; elsewhere New says so. Everything here is safe for
// concurrent use.
package supervise
