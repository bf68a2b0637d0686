// Package tracing is OpenTelemetry behind a switch. A nil *Tracer and a nil *Span are off: their methods do nothing and cost
// a comparison, so callers need not ask.
//
// A trace begins with one of Ratio's share of what clients send, and goes on with each NATS message that carries its
// context in a header (W3C Trace Context). What is not sampled carries no header and makes no span.
package tracing

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"time"

	"github.com/nats-io/nats.go"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"signalling/pkg/service"
	"signalling/pkg/settings"
)

// Config is the tracing's settings. Their names are OpenTelemetry's; the exporter knows some more, OTEL_EXPORTER_OTLP_HEADERS
// for credentials among them.
type Config struct {
	// Endpoint is the base URL of an OTLP/HTTP receiver: traces are posted to /v1/traces below it. Empty is off.
	Endpoint string `env:"OTEL_EXPORTER_OTLP_ENDPOINT" desc:"base URL of an OTLP/HTTP receiver of traces, such as http://127.0.0.1:4318; empty switches tracing off"`

	// Ratio is the share of commands and signals that are traced.
	Ratio float64 `env:"OTEL_TRACES_SAMPLER_ARG" envDefault:"0.01" desc:"share of clients' commands and signals that are traced, from 0 to 1"`
}

// Validate reports settings that cannot work.
func (c Config) Validate() error {
	var errs []error
	if u, err := url.Parse(c.Endpoint); err != nil || (c.Endpoint != "" && (u.Host == "" || (u.Scheme != "http" && u.Scheme != "https"))) {
		errs = append(errs, errors.New("OTEL_EXPORTER_OTLP_ENDPOINT is no http or https URL"))
	}
	if !(c.Ratio >= 0 && c.Ratio <= 1) {
		errs = append(errs, errors.New("OTEL_TRACES_SAMPLER_ARG is not from 0 to 1"))
	}
	return errors.Join(errs...)
}

// Bounds of what waits for the receiver; what exceeds them is dropped.
const (
	maxQueue      = 4096
	maxBatch      = 512
	exportTimeout = 5 * time.Second
)

// Tracer begins spans. Make one with New.
type Tracer struct {
	provider *sdk.TracerProvider
	tracer   trace.Tracer
	ratio    float64
}

// New returns the tracer of a service and its instance, or nil if tracing is off. The receiver need not be there: spans
// that it does not take are dropped. Errors wrap settings.ErrInvalid.
func New(cfg Config, name, instance string, log *slog.Logger) (*Tracer, error) {
	if cfg.Endpoint == "" {
		return nil, nil
	}
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("tracing: %w: %w", settings.ErrInvalid, err)
	}
	u, err := url.JoinPath(cfg.Endpoint, "v1/traces")
	if err != nil {
		return nil, fmt.Errorf("tracing: %w: OTEL_EXPORTER_OTLP_ENDPOINT: %w", settings.ErrInvalid, err)
	}
	exporter, err := otlptracehttp.New(context.Background(), otlptracehttp.WithEndpointURL(u), otlptracehttp.WithTimeout(exportTimeout))
	if err != nil {
		return nil, fmt.Errorf("tracing: %w: %w", settings.ErrInvalid, err)
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Warn("traces are lost", "error", err) }))
	provider := sdk.NewTracerProvider(
		sdk.WithSampler(sdk.AlwaysSample()), // Root and Continue decide
		sdk.WithBatcher(exporter, sdk.WithMaxQueueSize(maxQueue), sdk.WithMaxExportBatchSize(maxBatch), sdk.WithExportTimeout(exportTimeout)),
		sdk.WithResource(resource.NewSchemaless(
			attribute.String("service.name", name), attribute.String("service.instance.id", instance),
			attribute.String("service.version", service.Version()),
		)),
	)
	return &Tracer{provider: provider, tracer: provider.Tracer("signalling"), ratio: cfg.Ratio}, nil
}

// End exports what is left, for a second at most.
func (t *Tracer) End(log *slog.Logger) {
	if t == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := t.provider.Shutdown(ctx); err != nil {
		log.Warn("traces are lost", "error", err)
	}
}

// Root begins a trace, or returns nil for what is not sampled. It began at since; the zero time is now.
func (t *Tracer) Root(name string, since time.Time) *Span {
	if t == nil || rand.Float64() >= t.ratio { // #nosec G404 -- a sample
		return nil
	}
	return t.start(context.Background(), name, trace.WithTimestamp(orNow(since)), trace.WithSpanKind(trace.SpanKindServer))
}

// Continue begins a span of the trace that a message carries, or returns nil if it carries none.
func (t *Tracer) Continue(m *nats.Msg, name string) *Span {
	if t == nil || len(m.Header) == 0 {
		return nil
	}
	ctx := propagation.TraceContext{}.Extract(context.Background(), carrier(m.Header))
	if !trace.SpanContextFromContext(ctx).IsSampled() {
		return nil
	}
	return t.start(ctx, name, trace.WithSpanKind(trace.SpanKindConsumer))
}

func (t *Tracer) start(ctx context.Context, name string, opts ...trace.SpanStartOption) *Span {
	ctx, span := t.tracer.Start(ctx, name, opts...)
	return &Span{ctx: ctx, span: span}
}

func orNow(at time.Time) time.Time {
	if at.IsZero() {
		return time.Now()
	}
	return at
}

// Span is a part of a trace. Nil is none.
type Span struct {
	ctx  context.Context //nolint:containedctx // OpenTelemetry keeps the span in it
	span trace.Span
}

// Set adds an attribute.
func (s *Span) Set(key, value string) {
	if s != nil {
		s.span.SetAttributes(attribute.String(key, value))
	}
}

// End ends the span. Later calls do nothing.
func (s *Span) End() {
	if s != nil {
		s.span.End()
	}
}

// Header is what a message carries so that its receiver continues the trace; nil if there is none.
func (s *Span) Header() nats.Header {
	if s == nil {
		return nil
	}
	h := nats.Header{}
	propagation.TraceContext{}.Inject(s.ctx, carrier(h))
	return h
}

// carrier is a NATS header as OpenTelemetry sees it. Unlike HTTP's its names are case-sensitive.
type carrier nats.Header

// Get implements propagation.TextMapCarrier.
func (c carrier) Get(key string) string { return nats.Header(c).Get(key) }

// Set implements propagation.TextMapCarrier.
func (c carrier) Set(key, value string) { nats.Header(c).Set(key, value) }

// Keys implements propagation.TextMapCarrier.
func (c carrier) Keys() []string {
	keys := make([]string, 0, len(c))
	for k := range c {
		keys = append(keys, k)
	}
	return keys
}
