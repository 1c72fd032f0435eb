// The kit's behaviour. Every page does its work without it.
import { initAll } from "./kit/nhsuk.js";

document.body.classList.add("js-enabled", "nhsuk-frontend-supported");
initAll();
