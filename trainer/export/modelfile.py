"""The Modelfile with which Ollama takes an exported model. Ollama's templates are Go's, not Jinja."""

from pathlib import Path

# Qwen3's format: an empty think block tells the model not to think, as `enable_thinking=False` does.
_TEMPLATE = """{{- if .System }}<|im_start|>system
{{ .System }}<|im_end|>
{{ end }}
{{- range $i, $_ := .Messages }}
{{- $last := eq (len (slice $.Messages $i)) 1 }}
{{- if eq .Role "user" }}<|im_start|>user
{{ .Content }}<|im_end|>
{{ else if eq .Role "assistant" }}<|im_start|>assistant
{{ .Content }}{{ if not $last }}<|im_end|>
{{ end }}
{{- end }}
{{- if and (ne .Role "assistant") $last }}<|im_start|>assistant
{{ if not (and $.IsThinkSet $.Think) }}<think>

</think>

{{ end }}
{{- end }}
{{- end }}"""


_QWEN3 = (
    f'TEMPLATE """{_TEMPLATE}"""',
    'PARAMETER stop "<|im_end|>"',
    "PARAMETER temperature 0.7",
    "PARAMETER top_p 0.8",
    "PARAMETER top_k 20",
)


def write_modelfile(out: Path, model: Path, *, qwen3: bool) -> Path:
    """Write the Modelfile of `model`, which lies beside it.

    Of other kinds than Qwen3 it only names the file: Ollama knows their templates by the one in the GGUF.
    """
    lines = [f"FROM ./{model.name}", *(_QWEN3 if qwen3 else ())]
    out.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return out
