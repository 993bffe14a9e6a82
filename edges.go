package ashlar

import "github.com/ashlar-go/ashlar/serve"

// observer says how the public listener observes requests: whom it believes,
// which hosts it answers for, and which foreign pages it lets in.
func (a *App) observer(mux *serve.Mux) (serve.Observer, error) {
	o := serve.Observer{
		Log: a.Log, TrustedProxies: a.cfg.Proxies, Hosts: a.cfg.Hosts, HSTS: a.cfg.Production(),
		Done:   a.meters.done,
		Tracer: a.tracer, TracePeers: a.cfg.TracePeers,
		Form: a.form,
	}
	if len(a.cfg.Origins) == 0 {
		return o, nil
	}
	var err error
	o.CORS, err = serve.NewCORS(serve.CORSConfig{
		Origins: a.cfg.Origins, Credentials: a.cfg.Cookies, Methods: mux.Methods,
	})
	return o, err
}
