package deploy

import (
	"bytes"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/lint"
	"helm.sh/helm/v3/pkg/lint/support"
	apps "k8s.io/api/apps/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"

	"signalling/pkg/settings"
	"signalling/services/gateway"
	"signalling/services/rooms"
)

const (
	chartFolder = "../../deploy/helm/signalling"
	kubeVersion = "v1.34.0"
)

// values are the combinations that the chart is tested with.
var values = map[string]string{
	"trial": `
nats: {trial: {enabled: true}}
gateway: {env: {GATEWAY_AUTH: open}}`,
	"trial with a volume": `
nats: {trial: {enabled: true, storage: 1Gi}}
gateway: {env: {GATEWAY_AUTH: open}, autoscaling: {enabled: false}}
networkPolicy: {enabled: false}`,
	"all": `
nats: {url: "tls://nats-1:4222,tls://nats-2:4222", replicas: 3}
gateway:
  image: {tag: v1.2.3}
  env: {GATEWAY_ORIGINS: "https://example.org", GATEWAY_MAX_CONNECTIONS: 50000}
  secretFiles:
    GATEWAY_AUTH_SECRET_FILE: {secret: auth, key: auth-secret}
    NATS_NKEY: {secret: gateway-nats, key: user.nk}
    NATS_TLS_CA: {secret: gateway-nats, key: ca.pem}
  autoscaling: {connections: 20000}
  preStopSeconds: 10
  drainSeconds: 60
  podAnnotations: {a: b}
  nodeSelector: {pool: edge}
  tolerations: [{key: edge, operator: Exists}]
  service: {type: LoadBalancer, annotations: {c: d}}
rooms:
  secretFiles: {NATS_NKEY: {secret: rooms-nats, key: user.nk}}
imagePullSecrets: [{name: registry}]
ingress: {enabled: true, host: signalling.example.org, tlsSecret: certificate}
networkPolicy:
  clients: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: ingress-nginx}}}]
  monitoring: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: monitoring}}}]
  egress: [{ports: [{port: 4318, protocol: TCP}]}]
serviceMonitor: {enabled: true, labels: {release: prometheus}}
prometheusRule: {enabled: true}`,
}

// objects are the decoded parts of a rendered chart.
type objects []any

// TestChartLints runs helm lint --strict: with the defaults, and with all values that are tested.
func TestChartLints(t *testing.T) {
	v, err := chartutil.ParseKubeVersion(kubeVersion)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range values {
		l := lint.AllWithKubeVersion(chartFolder, parseValues(t, text), "default", v)
		for _, m := range l.Messages {
			if m.Severity >= support.WarningSev {
				t.Errorf("%s: %s", name, m)
			}
		}
	}
}

// TestChartDecodes decodes all that the chart makes into the types of Kubernetes and of the Prometheus operator, strictly: an unknown
// field is an error.
func TestChartDecodes(t *testing.T) {
	for name, want := range map[string]map[string]int{
		"trial": {
			"Deployment": 2, "StatefulSet": 1, "Service": 4, "PodDisruptionBudget": 2, "HorizontalPodAutoscaler": 1, "NetworkPolicy": 3,
		},
		"trial with a volume": {"Deployment": 2, "StatefulSet": 1, "Service": 4, "PodDisruptionBudget": 2},
		"all": {
			"Deployment": 2, "Service": 3, "PodDisruptionBudget": 2, "HorizontalPodAutoscaler": 1, "NetworkPolicy": 2, "Ingress": 1,
			"ServiceMonitor": 2, "PrometheusRule": 1,
		},
	} {
		got := map[string]int{}
		for _, o := range render(t, name) {
			got[reflect.TypeOf(o).Elem().Name()]++
		}
		if !maps.Equal(got, want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

// TestPodsNeedNoRights holds pods against the level "restricted" of Pod Security, and their root file systems are read-only.
func TestPodsNeedNoRights(t *testing.T) {
	for name := range values {
		for who, pod := range pods(render(t, name)) {
			p := pod.Spec.SecurityContext
			if !*p.RunAsNonRoot || p.SeccompProfile.Type != core.SeccompProfileTypeRuntimeDefault || *pod.Spec.AutomountServiceAccountToken {
				t.Errorf("%s, %s: %+v", name, who, p)
			}
			for _, c := range pod.Spec.Containers {
				s := c.SecurityContext
				if *s.AllowPrivilegeEscalation || !*s.ReadOnlyRootFilesystem || !slices.Equal(s.Capabilities.Drop, []core.Capability{"ALL"}) {
					t.Errorf("%s, %s: %+v", name, who, s)
				}
				if c.Resources.Limits.Memory().IsZero() || c.LivenessProbe == nil || c.ReadinessProbe == nil {
					t.Errorf("%s, %s: no limit of memory, or no probe", name, who)
				}
			}
		}
	}
}

// TestPodsAreGivenTimeToDrain compares the grace period with what a stop takes.
func TestPodsAreGivenTimeToDrain(t *testing.T) {
	for name := range values {
		for who, pod := range pods(render(t, name)) {
			if who == "nats" {
				continue
			}
			c := pod.Spec.Containers[0]
			stop := time.Duration(0)
			if c.Lifecycle != nil {
				stop = time.Duration(c.Lifecycle.PreStop.Sleep.Seconds) * time.Second
			}
			if who == "gateway" && stop == 0 {
				t.Errorf("%s: the gateway stops before others have heard of it", name)
			}
			drain, err := time.ParseDuration(env(c, strings.ToUpper(who)+"_DRAIN_TIMEOUT"))
			if err != nil {
				t.Fatal(err)
			}
			grace := time.Duration(*pod.Spec.TerminationGracePeriodSeconds) * time.Second
			if grace < stop+drain+5*time.Second {
				t.Errorf("%s, %s: %v for %v and %v", name, who, grace, stop, drain)
			}
		}
	}
}

// TestPodsAreSetAsTheServicesUnderstand reads the environment of the pods with the services' own settings.
func TestPodsAreSetAsTheServicesUnderstand(t *testing.T) {
	known := map[string][]string{"gateway": settingsOf(t, &gateway.Config{}), "rooms": settingsOf(t, &rooms.Config{})}
	for name := range values {
		for who, pod := range pods(render(t, name)) {
			if who == "nats" {
				continue
			}
			c, environ := pod.Spec.Containers[0], map[string]string{}
			for _, e := range c.Env {
				if e.Name == "GOMEMLIMIT" || e.Name == "LOG_FORMAT" {
					continue
				}
				if !slices.Contains(known[who], e.Name) {
					t.Errorf("%s, %s: there is no setting %s", name, who, e.Name)
				}
				if strings.HasPrefix(e.Value, "/") { // is mounted
					if !slices.ContainsFunc(c.VolumeMounts, func(m core.VolumeMount) bool { return filepath.Dir(e.Value) == m.MountPath }) {
						t.Errorf("%s, %s: nothing is mounted for %s", name, who, e.Value)
					}
					continue
				}
				environ[e.Name] = e.Value
			}
			var cfg any = &gateway.Config{}
			if who == "rooms" {
				cfg = &rooms.Config{}
			}
			if err := settings.Parse(cfg, settings.Options{Environ: environ}); err != nil {
				t.Errorf("%s, %s: %v", name, who, err)
			}
			admin := strings.TrimPrefix(environ[strings.ToUpper(who)+"_ADMIN_LISTEN"], ":")
			if !slices.ContainsFunc(c.Ports, func(p core.ContainerPort) bool {
				return p.Name == "admin" && strconv.Itoa(int(p.ContainerPort)) == admin
			}) {
				t.Errorf("%s, %s: the port admin is not %s", name, who, admin)
			}
		}
	}
}

// TestSelectorsSelect: everything that selects pods selects those of one component.
func TestSelectorsSelect(t *testing.T) {
	for name := range values {
		all := render(t, name)
		of := func(what string, selector map[string]string) {
			found := 0
			for _, pod := range pods(all) {
				matches := len(selector) > 0
				for k, v := range selector {
					matches = matches && pod.Labels[k] == v
				}
				if matches {
					found++
				}
			}
			if found != 1 {
				t.Errorf("%s: %s selects pods of %d components", name, what, found)
			}
		}
		services := map[string]*core.Service{}
		for _, o := range all {
			switch o := o.(type) {
			case *core.Service:
				services[o.Name] = o
				of(o.Name, o.Spec.Selector)
			case *policy.PodDisruptionBudget:
				of(o.Name, o.Spec.Selector.MatchLabels)
			case *networking.NetworkPolicy:
				of(o.Name, o.Spec.PodSelector.MatchLabels)
			}
		}
		for _, o := range all {
			switch o := o.(type) {
			case *networking.Ingress:
				b := o.Spec.Rules[0].HTTP.Paths[0].Backend.Service
				if s := services[b.Name]; s == nil || s.Spec.Ports[0].Name != b.Port.Name {
					t.Errorf("%s: the ingress leads to %+v", name, b)
				}
			case *autoscaling.HorizontalPodAutoscaler:
				if !slices.ContainsFunc(all, func(d any) bool { d2, ok := d.(*apps.Deployment); return ok && d2.Name == o.Spec.ScaleTargetRef.Name }) {
					t.Errorf("%s: the autoscaler scales %s", name, o.Spec.ScaleTargetRef.Name)
				}
			case *monitoring.ServiceMonitor:
				found := 0
				for _, s := range services {
					if isSubset(o.Spec.Selector.MatchLabels, s.Labels) {
						found++
					}
				}
				if found != 1 || !strings.HasPrefix(*o.Spec.Endpoints[0].RelabelConfigs[0].Replacement, "signalling-") {
					t.Errorf("%s: %s selects %d services", name, o.Name, found)
				}
			}
		}
	}
}

// TestAutoscalerCountsConnections looks at the metric of the second target.
func TestAutoscalerCountsConnections(t *testing.T) {
	for _, o := range render(t, "all") {
		if h, ok := o.(*autoscaling.HorizontalPodAutoscaler); ok {
			m := h.Spec.Metrics
			if len(m) != 2 || served(t)[m[1].Pods.Metric.Name] == nil || m[1].Pods.Target.AverageValue.Value() != 20000 {
				t.Errorf("%+v", m)
			}
		}
	}
}

// TestChartHasOurAlerts compares the chart's copy, which a chart cannot do without.
func TestChartHasOurAlerts(t *testing.T) {
	copied := filepath.Join(chartFolder, "files", "rules.yml")
	if !bytes.Equal(read(t, rulesFile), read(t, copied)) {
		t.Errorf("%s differs: cp %s %s", copied, rulesFile, copied)
	}
	want := len(alerts(t))
	for _, o := range render(t, "all") {
		if r, ok := o.(*monitoring.PrometheusRule); ok {
			for _, g := range r.Spec.Groups {
				want -= len(g.Rules)
			}
		}
	}
	if want != 0 {
		t.Errorf("%d alerts are missing", want)
	}
}

// TestWrongValuesAreRefused: by the schema, or by the templates.
func TestWrongValuesAreRefused(t *testing.T) {
	for text, says := range map[string]string{
		`{}`:                                         "nats.url",
		`{nats: {url: "nats://a"}}`:                  "who may connect",
		`{nats: {url: "http://a b"}}`:                "pattern",
		`{gateway: {replica: 3}}`:                    "replica",
		`{gateway: {drainSeconds: 10s}}`:             "drainSeconds",
		`{gateway: {env: {"bad-name": x}}}`:          "bad-name",
		`{rooms: {replicas: 0}}`:                     "replicas",
		`{nats: {replicas: 7}}`:                      "replicas",
		`{gateway: {autoscaling: {cpu: 200}}}`:       "cpu",
		`{gateway: {secretFiles: {A: {secret: x}}}}`: "key",
		`{nats: {url: "nats://a"}, gateway: {env: {GATEWAY_AUTH: open}}, ingress: {enabled: true}}`: "ingress.host",
	} {
		_, err := rendered(parseValues(t, text))
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want something of %s", text, err, says)
		}
	}
}

func isSubset(part, whole map[string]string) bool {
	for k, v := range part {
		if whole[k] != v {
			return false
		}
	}
	return true
}

// settingsOf are the settings of a service.
func settingsOf(t *testing.T, cfg any) (all []string) {
	t.Helper()
	table, err := settings.Table(cfg, settings.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range table {
		all = append(all, s.Name)
	}
	return all
}

func env(c core.Container, name string) string {
	for _, e := range c.Env {
		if e.Name == name {
			return e.Value
		}
	}
	return ""
}

// pods are the templates of pods, by component.
func pods(all objects) map[string]core.PodTemplateSpec {
	found := map[string]core.PodTemplateSpec{}
	for _, o := range all {
		switch o := o.(type) {
		case *apps.Deployment:
			found[o.Spec.Template.Labels["app.kubernetes.io/component"]] = o.Spec.Template
		case *apps.StatefulSet:
			found[o.Spec.Template.Labels["app.kubernetes.io/component"]] = o.Spec.Template
		}
	}
	return found
}

func parseValues(t *testing.T, text string) map[string]any {
	t.Helper()
	v, err := chartutil.ReadValues([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// rendered is what the chart makes of values, by file.
func rendered(v map[string]any) (map[string]string, error) {
	c, err := loader.Load(chartFolder)
	if err != nil {
		return nil, err
	}
	capabilities := chartutil.DefaultCapabilities.Copy()
	capabilities.KubeVersion = chartutil.KubeVersion{Version: kubeVersion, Major: "1", Minor: "34"}
	release := chartutil.ReleaseOptions{Name: "test", Namespace: "default", Revision: 1, IsInstall: true}
	all, err := chartutil.ToRenderValues(c, v, release, capabilities)
	if err != nil {
		return nil, err
	}
	return engine.Render(c, all)
}

// render decodes what the chart makes of one of values.
func render(t *testing.T, name string) (all objects) {
	t.Helper()
	files, err := rendered(parseValues(t, values[name]))
	if err != nil {
		t.Fatal(err)
	}
	codec := serializer.NewCodecFactory(scheme.Scheme, serializer.EnableStrict).UniversalDeserializer()
	for file, text := range files {
		if strings.HasSuffix(file, ".txt") {
			continue
		}
		for part := range strings.SplitSeq("\n"+text, "\n---") {
			if strings.TrimSpace(part) == "" {
				continue
			}
			o, err := decode(codec, []byte(part))
			if err != nil {
				t.Fatalf("%s: %v\n%s", file, err, part)
			}
			all = append(all, o)
		}
	}
	return all
}

func decode(codec runtime.Decoder, part []byte) (any, error) {
	var head struct{ Kind string }
	if err := yaml.Unmarshal(part, &head); err != nil {
		return nil, err
	}
	var o any
	switch head.Kind {
	case "ServiceMonitor":
		o = new(monitoring.ServiceMonitor)
	case "PrometheusRule":
		o = new(monitoring.PrometheusRule)
	default:
		o, _, err := codec.Decode(part, nil, nil)
		return o, err
	}
	return o, yaml.UnmarshalStrict(part, o)
}
