import { mount } from "svelte";
import App from "./App.svelte";
import { attempt, backend } from "./state/session.svelte.ts";
import "./style.css";

mount(App, { target: document.getElementById("app") as HTMLElement });
performance.mark("usable");

// the local server may have opened a model already
if (new URLSearchParams(location.search).has("server")) void attempt("opening", backend);
