/* htmx 4 beside schedulerui.js, which knows htmx 2: what 4 does is told once more as 2 tells it, as far as anybody listens. */
(() => {
  "use strict";
  const on = (kind, does) => document.addEventListener(kind, does);
  const tell = (name, node, detail) => {
    (node?.isConnected ? node : document).dispatchEvent(new CustomEvent(`htmx:${name}`, { bubbles: true, detail }));
    return detail;
  };
  const told = new WeakMap();
  const detailOf = (ctx) => {
    if (!told.has(ctx)) {
      const getResponseHeader = (name) => ctx.response.headers.get(name);
      const xhr = Object.assign(new EventTarget(), { status: 0, responseText: "", getResponseHeader });
      told.set(ctx, { elt: ctx.sourceElement, target: ctx.target, requestConfig: { elt: ctx.sourceElement }, xhr });
    }
    return told.get(ctx);
  };
  /* What was replaced by a newer request, or got no answer, ends with status 0: 4 would write it to the console. */
  const send = async (url, request) => {
    const signal = AbortSignal.any([request.signal, AbortSignal.timeout(htmx.config.timeout)]);
    try {
      const answer = await fetch(url, { ...request, signal });
      return new Response((await answer.text()) || null, answer);
    } catch {
      return Response.error();
    }
  };
  on("htmx:config:request", ({ detail: { ctx } }) => {
    const { sourceElement: { localName, name, value }, request: { body, submitter } } = ctx;
    ctx.fetch = send;
    /* A button says which one it is. */
    if (localName === "button" && name && !submitter) body.append(name, value);
    tell("configRequest", ctx.sourceElement, Object.assign(detailOf(ctx), { formData: body }));
  });
  on("htmx:before:request", ({ detail: { ctx } }) => tell("beforeRequest", ctx.sourceElement, detailOf(ctx)));
  on("htmx:after:request", (event) => {
    const { ctx } = event.detail;
    const { status } = ctx.response;
    const detail = detailOf(ctx);
    Object.assign(detail.xhr, { status, responseText: ctx.text });
    detail.failed = status < 200 || status >= 400;
    if (detail.failed && (status || !ctx.request.signal.aborted)) tell(status ? "responseError" : "sendError", ctx.sourceElement, detail);
    tell("afterRequest", ctx.sourceElement, detail);
    /* Nothing is swapped and no address changes; only the way to the login is gone. */
    if (detail.failed && !ctx.hx.redirect) event.preventDefault();
  });
  on("htmx:before:swap", ({ detail: { tasks } }) => {
    for (const task of tasks) {
      if (task.type === "oob" && !tell("oobBeforeSwap", task.target, { target: task.target, shouldSwap: true }).shouldSwap) task.target = null;
    }
  });
  on("htmx:after:swap", ({ detail: { ctx } }) => {
    if (ctx.response?.status === 204) return;
    for (const name of ["afterSwap", "afterSettle"]) tell(name, ctx.sourceElement, detailOf(ctx));
  });
  on("htmx:finally:request", ({ detail: { ctx } }) => detailOf(ctx).xhr.dispatchEvent(new Event("loadend")));
  on("htmx:after:process", ({ target }) => tell("load", target, { elt: target }));
})();
