"""What pip offers beside shapeviz to size a published model, and how each is asked: the table of accuracy.py."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple

import shapeviz

QUANTITIES = {"params": "Parameters", "active": "Active parameters", "kv_cache": "KV-cache bytes a token, 16 bits"}
Ask = Callable[[Any], Any]


class Form(NamedTuple):
    """A configuration as a dict and as a folder with config.json."""

    data: dict[str, Any]
    folder: str


class Peer(NamedTuple):
    """Who is asked: the package to install, what it reads, whether it needs torch, its answers."""

    package: str
    reads: str  # a config, a module, or a module that it runs
    torch: bool
    asks: dict[str, Ask]


def ours(column: str) -> Ask:
    return lambda form: shapeviz.measure(shapeviz.read(form.data), [column]).total[column].value


def by(module: str, ask: Callable[[Any, Any], Any]) -> Ask:
    """An answer that one module of the peer's gives."""
    return lambda given: ask(import_module(module), given)


def built(data: dict[str, Any], runs: bool) -> Any:
    """The model that transformers makes of a configuration, on the meta device and tied as the configuration says."""
    import torch
    import transformers
    from transformers.initialization import no_init_weights

    config = transformers.CONFIG_MAPPING[data["model_type"]](**{k: v for k, v in data.items() if k != "model_type"})
    if "tie_word_embeddings" in data:
        config.tie_word_embeddings = data["tie_word_embeddings"]  # T5's would force it
    if getattr(config, "pad_token_id", None) is None:
        config.pad_token_id = 0  # for classifiers of batches
    if runs:
        config._attn_implementation, config._experts_implementation, config.use_cache = "eager", "batched_mm", False
    with torch.device("meta"), no_init_weights():
        module = getattr(transformers, data["architectures"][0])(config).eval()
    module.tie_weights()
    if data["model_type"] == "t5":  # both stacks read one table, even where the head has its own
        module.set_input_embeddings(module.get_input_embeddings())
    return module


def inputs(module: Any) -> dict[str, Any]:
    """What a module is run on by those who run it."""
    import torch

    if module.main_input_name == "pixel_values":
        size = module.config.image_size
        return {"pixel_values": torch.zeros(1, 3, size, size, device="meta")}
    ids = torch.ones(1, 8, dtype=torch.int64, device="meta")
    if module.config.is_encoder_decoder:
        return {"input_ids": ids, "decoder_input_ids": ids, "decoder_attention_mask": ids}
    causal = type(module).__name__.endswith(("ForCausalLM", "LMHeadModel"))  # an encoder reads the values of a mask
    return {"input_ids": ids, "attention_mask": ids} if causal else {"input_ids": ids}


def positional(module: Any) -> tuple[Any, ...]:
    """The same by position."""
    given, names = inputs(module), list(inspect.signature(module.forward).parameters)
    return tuple(given.get(name) for name in names[: 1 + max(names.index(name) for name in given)])


def lightning(module: Any) -> int:
    from pytorch_lightning import LightningModule
    from pytorch_lightning.utilities.model_summary import ModelSummary

    outer = LightningModule()
    outer.module = module
    return ModelSummary(outer).total_parameters


def accelerate(module: Any) -> float:
    from accelerate.utils import calculate_maximum_sizes

    return calculate_maximum_sizes(module)[0] / next(module.parameters()).element_size()


def accelerate_command(form: Form) -> float:
    """What `accelerate estimate-memory` does once the configuration is there."""
    import torch
    from accelerate import init_empty_weights
    from transformers import AutoConfig, AutoModel

    with init_empty_weights():
        return accelerate(AutoModel.from_config(AutoConfig.from_pretrained(form.folder), dtype=torch.float32))


def via(reader: str, read: Callable[[Any, Form], Any], module: str) -> Callable[[Callable[[Any, Any], Any]], Ask]:
    """Those that read a configuration with one module and answer with another."""
    return lambda ask: by(module, lambda m, form: ask(m, read(import_module(reader), form)))


def llm_analysis(ask: Callable[[Any, int], Any]) -> Ask:
    """Its own reading of a configuration leaves out feed-forward, experts and tying: they are filled in here."""

    def answer(form: Form) -> Any:
        from llm_analysis.analysis import LLMAnalysis
        from llm_analysis.config import ModelConfig, get_gpu_config_by_name, get_model_config_from_hf

        read, data = get_model_config_from_hf(form.folder), form.data
        width = data.get("moe_intermediate_size") or data.get("intermediate_size") or 4 * read.hidden_dim
        gated = data.get("hidden_act", data.get("hidden_activation")) in ("silu", "gelu_pytorch_tanh")
        experts = next((data[k] for k in ("num_local_experts", "num_experts", "n_routed_experts") if data.get(k)), 1)
        model = ModelConfig(
            read.name, read.num_layers, read.n_head, read.hidden_dim, read.vocab_size, read.max_seq_len,
            num_key_value_heads=read.num_key_value_heads, ffn_embed_dim=width * (3 if gated else 2) / 2,
            expansion_ratio=4, moe_num_experts=experts, moe_top_k=data.get("num_experts_per_tok") or 1,
        )  # fmt: skip
        analysis = LLMAnalysis(model, get_gpu_config_by_name("a100-sxm-80gb"))
        untied = data.get("tie_word_embeddings") is False
        return ask(analysis, analysis.get_num_params_embedding(not untied) - analysis.get_num_params_embedding())

    return answer


hf_vram = via(
    "hf_vram_calc.parser", lambda m, f: m.ConfigParser.parse_config(f.folder, "model"), "hf_vram_calc.calculator"
)
llm_flops = via("llmflops.registry", lambda m, f: m._map_hf_config("model", f.data), "llmflops.memory")
planner = via("llm_mem_planner.cli", lambda m, f: m.load_dims(f.data), "llm_mem_planner.cli")
vramcalc = via("vramcalc.arch", lambda m, f: m.Arch.from_config(f.data), "vramcalc.memory")
cal, cal_cache = (
    via("llm_cal.architecture.detector", lambda m, f: m.detect(f.data), f"llm_cal.architecture.formulas.{name}")
    for name in ("weight", "kv_cache")
)
viz = via("llmviz.spec", lambda m, f: m.parse_config(f.data), "llmviz.spec")

PEERS = {
    "shapeviz": Peer("shapeviz", "config", False, {quantity: ours(quantity) for quantity in QUANTITIES}),
    "transformers, `num_parameters`": Peer("transformers", "module", True, {"params": lambda m: m.num_parameters()}),
    "fvcore": Peer("fvcore", "module", True, {"params": by("fvcore.nn", lambda f, m: f.parameter_count(m)[""])}),
    "ptflops": Peer("ptflops", "module", True, {
        "params": by("ptflops.pytorch_engine", lambda p, m: p.get_model_parameters_number(m))}),
    "Lightning, `ModelSummary`": Peer("pytorch-lightning", "module", True, {"params": lightning}),
    "torchinfo": Peer("torchinfo", "module", True, {
        "params": by("torchinfo", lambda t, m: t.summary(m, verbose=0).total_params)}),
    "accelerate, `calculate_maximum_sizes`": Peer("accelerate", "module", True, {"params": accelerate}),
    "accelerate, `estimate-memory`": Peer("accelerate", "config", True, {"params": accelerate_command}),
    "thop, its fork by ultralytics": Peer("ultralytics-thop", "run", True, {
        "params": by("thop", lambda t, m: t.profile(m, inputs=positional(m), verbose=False)[1])}),
    "calflops": Peer("calflops", "run", True, {"params": by("calflops", lambda c, m: c.calculate_flops(
        m, kwargs=inputs(m), print_results=False, output_as_string=False)[2])}),
    "DeepSpeed, flops profiler": Peer("deepspeed", "run", True, {
        "params": by("deepspeed.profiling.flops_profiler", lambda d, m: d.get_model_profile(
            m, kwargs=inputs(m), print_profile=False, as_string=False, warm_up=0)[2])}),
    "hf-vram-calc": Peer("hf-vram-calc", "config", True, {
        "params": hf_vram(lambda m, c: m.ParameterCalculator.calculate_transformer_params(c)),
        "kv_cache": hf_vram(
            lambda m, c: m.VRAMCalculator(m.ConfigManager()).calculate_kv_cache_memory(c, "fp16", 1, 1) * 2**30)}),
    "llm-analysis": Peer("llm-analysis", "config", False, {
        "params": llm_analysis(lambda a, untied: a.get_num_params_total() + untied),
        "active": llm_analysis(lambda a, untied: a.get_num_active_params_total() + untied),
        "kv_cache": llm_analysis(lambda a, _: a.get_memory_kv_cache_per_layer(1, 1, 2) * a.model_config.num_layers)}),
    "llm-flops": Peer("llm-flops", "config", False, {
        "params": llm_flops(lambda m, c: m.parameter_count(c).total),
        "active": llm_flops(lambda m, c: m.active_parameter_count(c)),
        "kv_cache": llm_flops(lambda m, c: m.kv_cache_bytes(c, 1, 1, "fp16"))}),
    "llmviz": Peer("llmviz", "config", False, {
        "params": viz(lambda _, s: s.total_params), "active": viz(lambda _, s: s.active_params),
        "kv_cache": viz(lambda _, s: s.kv_cache_per_token_bytes)}),
    "llm-cal": Peer("llm-cal", "config", False, {
        "params": cal(lambda m, p: m.estimate_total_params(p).value),
        "kv_cache": cal_cache(lambda m, p: m.compute_kv_cache_bytes(p, 1, 2).value)}),
    "vramcalc": Peer("vramcalc", "config", False, {
        "params": vramcalc(lambda _, a: a.param_count()), "kv_cache": vramcalc(lambda m, a: m.kv_cache(a, 1, 1, 2))}),
    "llm-mem-planner": Peer("llm-mem-planner", "config", False, {
        "params": planner(lambda m, d: m.estimate_params(d).total),
        "active": planner(
            lambda m, d: m.estimate_activated_params_per_token(d, m.estimate_params(d))["total_including_embed"]),
        "kv_cache": planner(lambda m, d: m.estimate_kv_cache_gib(d, batch=1, seq_len=1, kv_dtype_bytes=2) * 2**30)}),
    "kvfit": Peer("kvfit", "config", False, {
        "kv_cache": by("kvfit.architectures", lambda m, f: m.estimate_cache(f.data, context_tokens=1).total_bytes)}),
    "hf-mem": Peer("hf-mem", "config", False, {"kv_cache": by(
        "hf_mem.safetensors.kv_cache", lambda m, f: m.compute_safetensors_kv_cache_size(f.data, "BF16", 1))}),
}  # fmt: skip
