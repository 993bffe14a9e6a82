package deploytest_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	apps "k8s.io/api/apps/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	kyaml "k8s.io/apimachinery/pkg/util/yaml"
	gateway "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/json"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// A cluster is what an overlay renders to.
type cluster struct {
	namespaces  []core.Namespace
	accounts    []core.ServiceAccount
	settings    []core.ConfigMap
	services    []core.Service
	deployments []apps.Deployment
	jobs        []batch.Job
	ingresses   []networking.Ingress
	routes      []gateway.HTTPRoute
	networks    []networking.NetworkPolicy
	autoscalers []autoscaling.HorizontalPodAutoscaler
	budgets     []policy.PodDisruptionBudget
	monitors    []monitoring.ServiceMonitor
	rules       []monitoring.PrometheusRule
}

// overlays are what is applied, in the order of a release.
var overlays = []string{"overlays/staging/migrate", "overlays/staging", "overlays/production/migrate", "overlays/production"}

// manifests reads deploy/kubernetes into memory.
func manifests(t *testing.T) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	root := os.DirFS("../kubernetes")
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files[name], err = fs.ReadFile(root, name)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// render does what `kubectl kustomize` does.
func render(files map[string][]byte, overlay string) ([]byte, error) {
	disk := filesys.MakeFsInMemory()
	for name, text := range files {
		if err := disk.WriteFile("/"+name, text); err != nil {
			return nil, err
		}
	}
	rendered, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(disk, "/"+overlay)
	if err != nil {
		return nil, err
	}
	return rendered.AsYaml()
}

// decode reads objects strictly: an unknown, doubled or wrongly spelled member
// is an error, and so is a kind that no rule here looks at.
func decode(text []byte) (c cluster, err error) {
	documents := kyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return c, nil
		}
		if err != nil {
			return c, err
		}
		var kind meta.TypeMeta
		if err := yaml.Unmarshal(document, &kind); err != nil {
			return c, err
		}
		switch kind.APIVersion + " " + kind.Kind {
		case "v1 Namespace":
			err = strict(document, &c.namespaces)
		case "v1 ServiceAccount":
			err = strict(document, &c.accounts)
		case "v1 ConfigMap":
			err = strict(document, &c.settings)
		case "v1 Service":
			err = strict(document, &c.services)
		case "apps/v1 Deployment":
			err = strict(document, &c.deployments)
		case "batch/v1 Job":
			err = strict(document, &c.jobs)
		case "networking.k8s.io/v1 Ingress":
			err = strict(document, &c.ingresses)
		case "gateway.networking.k8s.io/v1 HTTPRoute":
			err = strict(document, &c.routes)
		case "networking.k8s.io/v1 NetworkPolicy":
			err = strict(document, &c.networks)
		case "autoscaling/v2 HorizontalPodAutoscaler":
			err = strict(document, &c.autoscalers)
		case "policy/v1 PodDisruptionBudget":
			err = strict(document, &c.budgets)
		case "monitoring.coreos.com/v1 ServiceMonitor":
			err = strict(document, &c.monitors)
		case "monitoring.coreos.com/v1 PrometheusRule":
			err = strict(document, &c.rules)
		default:
			err = fmt.Errorf("no rule looks at a %s %s", kind.APIVersion, kind.Kind)
		}
		if err != nil {
			return c, fmt.Errorf("%s: %w", kind.Kind, err)
		}
	}
}

func strict[T any](document []byte, list *[]T) error {
	text, err := yaml.YAMLToJSONStrict(document)
	if err != nil {
		return err
	}
	var object T
	unknown, err := json.UnmarshalStrict(text, &object)
	*list = append(*list, object)
	return errors.Join(append(unknown, err)...)
}

// pods are all that run, by what makes them.
func (c cluster) pods() map[string]core.PodTemplateSpec {
	all := map[string]core.PodTemplateSpec{}
	for _, d := range c.deployments {
		all["Deployment "+d.Name] = d.Spec.Template
	}
	for _, j := range c.jobs {
		all["Job "+j.Name] = j.Spec.Template
	}
	return all
}

var secretName = regexp.MustCompile(`(?i)(password|secret|token|signing_keys|database_url|redis_url)$`)

// restricted holds what every pod must keep.
func (c cluster) restricted(say func(bool, string)) {
	yes := func(b *bool) bool { return b != nil && *b }
	no := func(b *bool) bool { return b != nil && !*b }
	pinned := regexp.MustCompile(`@sha256:[0-9a-f]{64}$`)
	for name, template := range c.pods() {
		p := template.Spec
		say(!no(p.AutomountServiceAccountToken), "P16.14: "+name+" gets an API token")
		say(p.HostNetwork || p.HostPID || p.HostIPC, "P16.14: "+name+" shares the host's namespaces")
		s := p.SecurityContext
		say(s == nil || !yes(s.RunAsNonRoot) || s.RunAsUser == nil || *s.RunAsUser == 0, "P16.14: "+name+" may run as root")
		say(s == nil || s.SeccompProfile == nil || s.SeccompProfile.Type != core.SeccompProfileTypeRuntimeDefault, "P16.14: "+name+" has no seccomp profile")
		for _, v := range p.Volumes {
			say(v.HostPath != nil, "P16.14: "+name+" mounts the host's "+v.Name)
			say(v.EmptyDir != nil && v.EmptyDir.SizeLimit == nil, "P16.15: "+name+" may fill the node with "+v.Name)
			say(v.Secret != nil && (v.Secret.DefaultMode == nil || *v.Secret.DefaultMode&0o007 != 0), "P16.14: anybody in "+name+" reads "+v.Name)
		}
		say(len(p.Containers) != 1, "P8.3: "+name+" runs more than one process")
		for _, k := range p.Containers {
			say(!pinned.MatchString(k.Image), "P8.9: "+name+" runs "+k.Image)
			say(len(k.Command) > 0, "P8.2: "+name+" does not start as its image says")
			say(slices.Contains(k.Args, "supervise") || slices.ContainsFunc(k.Args, func(a string) bool { return strings.HasPrefix(a, "--workers") }), "P8.3: "+name+" runs a supervisor in a container")
			s := k.SecurityContext
			say(s == nil || !no(s.AllowPrivilegeEscalation), "P16.14: "+name+" may gain privileges")
			say(s == nil || !yes(s.ReadOnlyRootFilesystem), "P16.14: "+name+" may write its image")
			say(s == nil || s.Capabilities == nil || !slices.Equal(s.Capabilities.Drop, []core.Capability{"ALL"}) || len(s.Capabilities.Add) > 0, "P16.14: "+name+" keeps capabilities")
			say(s != nil && yes(s.Privileged), "P16.14: "+name+" is privileged")
			for _, r := range []core.ResourceName{core.ResourceCPU, core.ResourceMemory, core.ResourceEphemeralStorage} {
				say(!has(k.Resources.Requests, r), "P16.15: "+name+" requests no "+string(r))
				say(!has(k.Resources.Limits, r), "P16.15: "+name+" has no limit of "+string(r))
			}
			limit := k.Resources.Limits.Memory().Value()
			goes := c.setting(k, "GOMEMLIMIT")
			var mib int64
			_, err := fmt.Sscanf(goes, "%dMiB", &mib)
			say(err != nil || mib<<20 > limit*9/10 || mib<<20 < limit*85/100, fmt.Sprintf("P8.7: %s: GOMEMLIMIT %q of %d bytes", name, goes, limit))
			for _, e := range k.Env {
				say(secretName.MatchString(e.Name) && e.Value != "", "P6.3: "+name+" has a secret in plain text: "+e.Name)
			}
		}
	}
	for _, m := range c.settings {
		for key := range m.Data {
			say(secretName.MatchString(key), "P6.3: "+m.Name+" has a secret in plain text: "+key)
		}
	}
	for _, a := range c.accounts {
		say(!no(a.AutomountServiceAccountToken), "P16.14: account "+a.Name+" hands out API tokens")
	}
	for _, n := range c.namespaces {
		say(n.Labels["pod-security.kubernetes.io/enforce"] != "restricted", "P16.14: namespace "+n.Name+" takes any pod")
	}
}

// setting is what a container's environment says, by itself or by a map.
func (c cluster) setting(k core.Container, name string) string {
	for _, e := range k.Env {
		if e.Name == name {
			return e.Value
		}
	}
	for _, from := range k.EnvFrom {
		for _, m := range c.settings {
			if from.ConfigMapRef != nil && from.ConfigMapRef.Name == m.Name {
				return m.Data[name]
			}
		}
	}
	return ""
}

// served holds what a cluster that serves must have.
func (c cluster) served(say func(bool, string)) {
	if len(c.deployments) != 1 || len(c.autoscalers) != 1 || len(c.budgets) != 1 || len(c.ingresses)+len(c.routes) != 1 || len(c.monitors) != 1 {
		say(true, "P16.15: a Deployment, its autoscaler, budget, ingress or monitor is missing, or there is an ingress beside a route")
		return
	}
	d := c.deployments[0]
	pod, k := d.Spec.Template, d.Spec.Template.Spec.Containers[0]
	selects := func(s *meta.LabelSelector, of map[string]string) bool {
		selector, err := meta.LabelSelectorAsSelector(s)
		return err == nil && !selector.Empty() && selector.Matches(labels.Set(of))
	}
	say(!selects(d.Spec.Selector, pod.Labels), "P16.15: the Deployment does not select its own pods")

	at := func(p *core.Probe) string {
		if p == nil || p.HTTPGet == nil {
			return ""
		}
		return p.HTTPGet.Port.String() + p.HTTPGet.Path
	}
	say(at(k.StartupProbe) != "admin/startupz", "P14.1: startup asks "+at(k.StartupProbe))
	say(at(k.LivenessProbe) != "admin/livez", "P14.2: liveness asks "+at(k.LivenessProbe))
	say(at(k.ReadinessProbe) != "admin/readyz", "P14.1: readiness asks "+at(k.ReadinessProbe))

	var sleep int64
	if k.Lifecycle != nil && k.Lifecycle.PreStop != nil && k.Lifecycle.PreStop.Sleep != nil {
		sleep = k.Lifecycle.PreStop.Sleep.Seconds
	}
	say(sleep < 5, "P14.3: SIGTERM comes before the endpoints are gone")
	delay, timeout := seconds(c.setting(k, "ASHLAR_DRAIN_DELAY")), seconds(c.setting(k, "ASHLAR_DRAIN_TIMEOUT"))
	grace := pod.Spec.TerminationGracePeriodSeconds
	say(delay == 0 || timeout == 0 || grace == nil || *grace < sleep+2*timeout+5, "P14.4: the pod is killed while it drains")

	h, b := c.autoscalers[0], c.budgets[0]
	say(h.Spec.ScaleTargetRef.Name != d.Name, "P16.15: the autoscaler scales "+h.Spec.ScaleTargetRef.Name)
	say(d.Spec.Replicas != nil, "P16.15: replicas fight the autoscaler")
	say(h.Spec.MinReplicas == nil || *h.Spec.MinReplicas < 2, "P8.3: fewer than two replicas")
	var metrics []string
	for _, m := range h.Spec.Metrics {
		if m.Pods != nil {
			metrics = append(metrics, m.Pods.Metric.Name)
		}
		if m.Resource != nil {
			metrics = append(metrics, string(m.Resource.Name))
		}
	}
	say(!slices.Equal(metrics, []string{"http_server_active_requests", "cpu"}), fmt.Sprintf("P16.15: the autoscaler goes by %q", metrics))
	say(b.Spec.MaxUnavailable == nil || b.Spec.MaxUnavailable.IntValue() != 1 || !selects(b.Spec.Selector, pod.Labels), "P16.15: the budget does not keep these pods")
	var over []string
	for _, s := range pod.Spec.TopologySpreadConstraints {
		if selects(s.LabelSelector, pod.Labels) {
			over = append(over, s.TopologyKey)
		}
	}
	say(!slices.Contains(over, "topology.kubernetes.io/zone") || !slices.Contains(over, "kubernetes.io/hostname"), "P16.15: all pods may stand in one place")
	u := d.Spec.Strategy.RollingUpdate
	say(u == nil || u.MaxUnavailable == nil || u.MaxUnavailable.IntValue() != 0, "P5.16: a release takes pods away before it has new ones")
	say(c.setting(k, "ASHLAR_MIGRATE") != "manual", "P14.13: each pod migrates at its start")
	say(c.setting(k, "ASHLAR_ENV") != "production", "P5.15: not in production mode")

	c.reachable(say, pod, selects)
}

// reachable holds who reaches what: the public its port, Prometheus the other.
func (c cluster) reachable(say func(bool, string), pod core.PodTemplateSpec, selects func(*meta.LabelSelector, map[string]string) bool) {
	deny := false
	for _, n := range c.networks {
		all := len(n.Spec.PodSelector.MatchLabels) == 0 && len(n.Spec.PodSelector.MatchExpressions) == 0
		both := slices.Contains(n.Spec.PolicyTypes, networking.PolicyTypeIngress) && slices.Contains(n.Spec.PolicyTypes, networking.PolicyTypeEgress)
		deny = deny || all && both && len(n.Spec.Ingress) == 0 && len(n.Spec.Egress) == 0
		say(!all && !selects(&n.Spec.PodSelector, pod.Labels), "P16.16: "+n.Name+" selects no pod")
		for _, in := range n.Spec.Ingress {
			say(len(in.From) == 0 || len(in.Ports) == 0, "P16.16: "+n.Name+" lets anybody in")
			for _, port := range in.Ports {
				for _, from := range in.From {
					admin := port.Port.IntValue() == 9090
					monitor := from.NamespaceSelector != nil && from.NamespaceSelector.MatchLabels["kubernetes.io/metadata.name"] == "monitoring"
					say(admin && !monitor, "P10.14: others than Prometheus reach the admin port")
				}
			}
		}
		for _, out := range n.Spec.Egress {
			say(len(out.To) == 0 || len(out.Ports) == 0, "P16.16: "+n.Name+" lets out to anybody")
			for _, to := range out.To {
				say(to.IPBlock != nil && strings.HasSuffix(to.IPBlock.CIDR, "/0"), "P16.16: "+n.Name+" lets out to the whole internet")
			}
		}
	}
	say(!deny, "P16.16: what no rule allows is not refused")

	ports, numbers := map[string]string{}, map[string]string{}
	for _, s := range c.services {
		for _, p := range s.Spec.Ports {
			ports[s.Name+" "+p.Name] = p.TargetPort.String()
			numbers[fmt.Sprint(s.Name, " ", p.Port)] = p.TargetPort.String()
		}
		say(s.Spec.Type != core.ServiceTypeClusterIP, "P16.16: "+s.Name+" is open past the ingress")
		say(!selects(&meta.LabelSelector{MatchLabels: s.Spec.Selector}, pod.Labels), "P16.15: "+s.Name+" leads to no pod")
	}
	for _, i := range c.ingresses {
		say(len(i.Spec.TLS) == 0, "P12.10: the ingress serves without TLS")
		for _, r := range i.Spec.Rules {
			for _, p := range r.HTTP.Paths {
				to := p.Backend.Service
				say(ports[to.Name+" "+to.Port.Name] != "http", "P10.14: the ingress leads to "+ports[to.Name+" "+to.Port.Name])
			}
			say(len(i.Spec.TLS) > 0 && !slices.Contains(i.Spec.TLS[0].Hosts, r.Host), "P12.10: no certificate for "+r.Host)
		}
	}
	for _, r := range c.routes {
		c.routed(say, r, numbers)
	}
	m := c.monitors[0]
	found := slices.ContainsFunc(c.services, func(s core.Service) bool {
		return selects(&m.Spec.Selector, s.Labels) && ports[s.Name+" "+m.Spec.Endpoints[0].Port] == "admin"
	})
	say(!found || m.Spec.Endpoints[0].Path != "/metrics", "P5.1: the monitor scrapes nothing")
}

// routed holds where a route of a Gateway comes from and leads to.
func (c cluster) routed(say func(bool, string), r gateway.HTTPRoute, ports map[string]string) {
	from := ""
	for _, p := range r.Spec.ParentRefs {
		say(p.SectionName == nil || *p.SectionName != "https", "P12.10: the route takes what comes without TLS")
		if p.Namespace != nil {
			from = string(*p.Namespace)
		}
	}
	lets := false
	for _, n := range c.networks {
		for _, in := range n.Spec.Ingress {
			for _, f := range in.From {
				lets = lets || f.NamespaceSelector != nil && f.NamespaceSelector.MatchLabels["kubernetes.io/metadata.name"] == from && in.Ports[0].Port.IntValue() == 8080
			}
		}
	}
	say(from == "" || !lets, "P16.16: the network lets no Gateway in")
	staged := len(c.namespaces) == 1 && strings.Contains(c.namespaces[0].Name, "staging")
	say(len(r.Spec.Hostnames) != 1 || strings.Contains(string(r.Spec.Hostnames[0]), "staging") != staged, fmt.Sprintf("P12.10: the route answers for %q", r.Spec.Hostnames))
	for _, rule := range r.Spec.Rules {
		for _, to := range rule.BackendRefs {
			port := "no port"
			if to.Port != nil {
				port = ports[fmt.Sprint(to.Name, " ", *to.Port)]
			}
			say(port != "http", "P10.14: the route leads to "+port)
		}
		say(rule.Timeouts == nil || rule.Timeouts.Request == nil || *rule.Timeouts.Request != "0s", "streams: the Gateway cuts them off")
	}
}

// behindGateway is the manifests with the component in each overlay.
func behindGateway(files map[string][]byte) map[string][]byte {
	for _, overlay := range []string{"overlays/staging", "overlays/production"} {
		name := overlay + "/kustomization.yaml"
		files[name] = append(slices.Clone(files[name]), "components: [../../components/gateway]\n"...)
	}
	return files
}

func TestManifestsBehindAGateway(t *testing.T) {
	t.Parallel()
	if found := findings(behindGateway(manifests(t))); len(found) > 0 {
		t.Fatalf("deploy/kubernetes with components/gateway:\n%s", strings.Join(found, "\n"))
	}
	const route, component = "components/gateway/route.yaml", "components/gateway/kustomization.yaml"
	for rule, c := range map[string][3]string{
		"decode: HTTPRoute":       {route, "backendRefs", "backendrefs"},
		"P12.10: the route takes": {route, ", sectionName: https", ""},
		"P12.10: the route ans":   {"overlays/staging/kustomization.yaml", "hostnames/0, value: shop.staging", "hostnames/0, value: shop"},
		"P10.14: the route":       {route, "{name: shop, port: 80}", "{name: shop-admin, port: 9090}"},
		"streams":                 {route, "request: 0s", "request: 30s"},
		"P16.15: a Deployment":    {component, ", $patch: delete}", "}"},
		"P16.16: the network":     {component, "value: gateway}", "value: elsewhere}"},
		"render":                  {"base/network.yaml", "ingress-nginx", "traefik"},
	} {
		files := behindGateway(manifests(t))
		spoilt := bytes.Replace(files[c[0]], []byte(c[1]), []byte(c[2]), 1)
		if bytes.Equal(spoilt, files[c[0]]) {
			t.Errorf("%s: %s does not have %q", rule, c[0], c[1])
		}
		files[c[0]] = spoilt
		bites(t, rule, findings(files))
	}
}

// seconds reads "5s".
func seconds(text string) (n int64) {
	_, err := fmt.Sscanf(text, "%ds", &n)
	if err != nil {
		return 0
	}
	return n
}

// findings renders all overlays and returns what is wrong with them.
func findings(files map[string][]byte) (list []string) {
	for _, overlay := range overlays {
		text, err := render(files, overlay)
		if err != nil {
			list = append(list, "render: "+err.Error())
			continue
		}
		c, err := decode(text)
		if err != nil {
			list = append(list, "decode: "+err.Error())
			continue
		}
		say := func(when bool, finding string) {
			if when {
				list = append(list, finding+" ("+overlay+")")
			}
		}
		c.restricted(say)
		if path.Base(overlay) != "migrate" {
			c.served(say)
		} else if len(c.jobs) != 1 || !slices.Equal(c.jobs[0].Spec.Template.Spec.Containers[0].Args, []string{"migrate", "up"}) {
			say(true, "P14.13: nothing migrates")
		}
	}
	return list
}

func TestManifests(t *testing.T) {
	t.Parallel()
	if found := findings(manifests(t)); len(found) > 0 {
		t.Fatalf("deploy/kubernetes:\n%s", strings.Join(found, "\n"))
	}
}

func TestEachRuleForManifestsBites(t *testing.T) {
	t.Parallel()
	const deployment, network = "base/deployment.yaml", "base/network.yaml"
	for rule, c := range map[string][3]string{
		"render":                        {"base/kustomization.yaml", "rules.yaml]", "monitr.yaml]"},
		"decode: Deployment":            {deployment, "livenessProbe", "livnessProbe"},
		"decode: Service":               {"base/service.yaml", "targetPort", "targetport"},
		"decode: ServiceMonitor":        {"base/monitor.yaml", "scrapeTimeout", "scrapeTimeOut"},
		"decode: Secret":                {"base/account.yaml", "kind: ServiceAccount", "kind: Secret"},
		"P16.14: Deployment shop g":     {deployment, "automountServiceAccountToken: false", "automountServiceAccountToken: true"},
		"P16.14: Deployment shop s":     {deployment, "enableServiceLinks: false", "hostNetwork: true"},
		"P16.14: Deployment shop ma":    {deployment, "runAsNonRoot: true, ", ""},
		"P16.14: Deployment shop h":     {deployment, ", seccompProfile: {type: RuntimeDefault}", ""},
		"P16.14: Deployment shop mo":    {deployment, "emptyDir: {sizeLimit: 512Mi}", "hostPath: {path: /}"},
		"P16.14: anybody":               {deployment, "0440", "0444"},
		"P16.14: Deployment shop may g": {deployment, "allowPrivilegeEscalation: false, ", ""},
		"P16.14: Deployment shop may w": {deployment, "readOnlyRootFilesystem: true, ", ""},
		"P16.14: Deployment shop k":     {deployment, "drop: [ALL]", "add: [NET_ADMIN]"},
		"P16.14: Deployment shop i":     {deployment, "capabilities: {drop: [ALL]}", "privileged: true"},
		"P16.14: account":               {"base/account.yaml", "automountServiceAccountToken: false", ""},
		"P16.14: namespace":             {"overlays/production/namespace.yaml", "enforce: restricted", "enforce: privileged"},
		"P16.15: Deployment shop may":   {deployment, "{sizeLimit: 512Mi}", "{}"},
		"P16.15: Deployment shop req":   {deployment, "requests: {cpu: 250m, ", "requests: {"},
		"P16.15: Deployment shop has":   {deployment, "limits: {cpu: \"2\", memory: 512Mi, ", "limits: {cpu: \"2\", "},
		"P16.15: the autoscaler goes":   {"base/autoscaler.yaml", "http_server_active_requests}", "requests}"},
		"P16.15: the autoscaler scales": {"base/autoscaler.yaml", "kind: Deployment, name: shop", "kind: Deployment, name: other"},
		"P16.15: replicas":              {deployment, "revisionHistoryLimit", "replicas: 3\n  revisionHistoryLimit"},
		"P16.15: the budget":            {"base/disruption.yaml", "component: server", "component: other"},
		"P16.15: all pods":              {deployment, "topology.kubernetes.io/zone", "kubernetes.io/hostname"},
		"P16.15: shop leads":            {"base/service.yaml", "component: server}\n  ports:", "component: other}\n  ports:"},
		"P16.15: a Deployment":          {"base/kustomization.yaml", "disruption.yaml, ", ""},
		"P8.2":                          {deployment, "imagePullPolicy", "command: [/bin/sh]\n          imagePullPolicy"},
		"P8.3: Deployment":              {deployment, "imagePullPolicy", "args: [serve, --workers=2]\n          imagePullPolicy"},
		"P8.3: fewer":                   {"base/autoscaler.yaml", "minReplicas: 2", "minReplicas: 1"},
		"P8.7":                          {"base/kustomization.yaml", "460MiB", "512MiB"},
		"P8.9":                          {"overlays/staging/kustomization.yaml", "digest: sha256:0000000000000000000000000000000000000000000000000000000000000000", "newTag: latest"},
		"P6.3: Deployment":              {deployment, "name: DATABASE_URL_FILE", "name: DATABASE_URL"},
		"P6.3: shop-":                   {"base/kustomization.yaml", "ASHLAR_MIGRATE=manual", "ASHLAR_MIGRATE=manual\n      - BANK_TOKEN=x"},
		"P14.1: startup":                {deployment, "/startupz", "/readyz"},
		"P14.1: readiness":              {deployment, "/readyz", "/livez"},
		"P14.2":                         {deployment, "/livez", "/readyz"},
		"P14.3":                         {deployment, "sleep: {seconds: 5}", "sleep: {seconds: 1}"},
		"P14.4":                         {deployment, "terminationGracePeriodSeconds: 60", "terminationGracePeriodSeconds: 40"},
		"P14.13: each":                  {"base/kustomization.yaml", "ASHLAR_MIGRATE=manual", "ASHLAR_MIGRATE=auto"},
		"P14.13: nothing":               {"migrate/job.yaml", "args: [migrate, up]", "args: [migrate, status]"},
		"P5.1:":                         {"base/monitor.yaml", "component: admin", "component: server"},
		"P5.15":                         {"base/kustomization.yaml", "ASHLAR_ENV=production", "ASHLAR_ENV=development"},
		"P5.16":                         {deployment, "maxUnavailable: 0", "maxUnavailable: 1"},
		"P12.10: the":                   {"overlays/staging/kustomization.yaml", "{op: replace, path: /spec/tls/0/hosts/0, value: shop.staging.example.com}", "{op: remove, path: /spec/tls}"},
		"P12.10: no":                    {"overlays/staging/kustomization.yaml", "/spec/tls/0/hosts/0, value: shop.staging", "/spec/tls/0/hosts/0, value: shop.other"},
		"P10.14: others":                {network, "kubernetes.io/metadata.name: monitoring}}}]\n      ports: [{port: 9090", "kubernetes.io/metadata.name: ingress-nginx}}}]\n      ports: [{port: 9090"},
		"P10.14: the":                   {"base/ingress.yaml", "{name: shop, port: {name: http}}", "{name: shop-admin, port: {name: admin}}"},
		"P16.16: what":                  {network, "{podSelector: {}, policyTypes: [Ingress, Egress]}", "{podSelector: {}, policyTypes: [Ingress]}"},
		"P16.16: shop lets anybody":     {network, "- from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: ingress-nginx}}}]\n      ports", "- ports"},
		"P16.16: shop lets out to a":    {network, "- to: [{ipBlock: {cidr: 10.0.0.0/8}}]\n      ports", "- ports"},
		"P16.16: shop lets out to the":  {network, "10.0.0.0/8", "0.0.0.0/0"},
		"P16.16: shop is":               {"base/service.yaml", "type: ClusterIP", "type: LoadBalancer"},
		"P16.16: shop selects":          {network, "app.kubernetes.io/name: shop}}", "app.kubernetes.io/name: other}}"},
	} {
		files := manifests(t)
		spoilt := bytes.Replace(files[c[0]], []byte(c[1]), []byte(c[2]), 1)
		if bytes.Equal(spoilt, files[c[0]]) {
			t.Errorf("%s: %s does not have %q", rule, c[0], c[1])
		}
		files[c[0]] = spoilt
		bites(t, rule, findings(files))
	}
}

// TestMonitorAndAutoscalerKnowTheApp: what they name, the dashboard shows too,
// and the root's own tests hold that to what an app exports.
func TestMonitorAndAutoscalerKnowTheApp(t *testing.T) {
	t.Parallel()
	if !bytes.Contains(read(t, "../observability/grafana/dashboard.json"), []byte("http_server_active_requests")) {
		t.Error("http_server_active_requests is no metric of an app")
	}
}

func has(list core.ResourceList, name core.ResourceName) bool {
	_, ok := list[name]
	return ok
}
