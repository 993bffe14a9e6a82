'use strict';

// Swagger UI has a dark style, under a class that its page must set.
const dark = matchMedia('(prefers-color-scheme: dark)');
const paint = () => document.documentElement.classList.toggle('dark-mode', dark.matches);
dark.addEventListener('change', paint);
paint();

SwaggerUIBundle({
  url: document.getElementById('swagger-ui').dataset.document,
  dom_id: '#swagger-ui',
  deepLinking: true,
  displayOperationId: true,
  displayRequestDuration: true,
  filter: true,
  persistAuthorization: false, // a token lives as long as the page
  queryConfigEnabled: false, // no link may make this page show another document
  tryItOutEnabled: true,
  validatorUrl: null, // the document is shown to nobody else
});
