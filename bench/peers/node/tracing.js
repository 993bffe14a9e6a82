// OpenTelemetry as its documentation shows: the SDK for Node with the
// instrumentation of HTTP, which is the least; endpoint and sampler are in the
// environment.
'use strict';

const { NodeSDK } = require('@opentelemetry/sdk-node');
const { OTLPTraceExporter } = require('@opentelemetry/exporter-trace-otlp-http');
const { HttpInstrumentation } = require('@opentelemetry/instrumentation-http');

exports.start = () => {
  new NodeSDK({ traceExporter: new OTLPTraceExporter(), instrumentations: [new HttpInstrumentation()] }).start();
};
