//! How the layers of an association stand, in words for an operator.

use osi::stack::{LayerStates, Settlement};

use crate::status::{AssociationStatus, LayerStatus, SettledValue};

/// From transport to RTSE; what RTSE has settled is in `association`.
pub(crate) fn layers(
    association: &AssociationStatus,
    (states, settlement): (LayerStates, Settlement),
) -> Vec<LayerStatus> {
    let LayerStates { transport, session, presentation, association: acse, reliable_transfer, has_turn } =
        states;
    let is_bound = association.dialogue.is_some();
    vec![
        LayerStatus { layer: "transport", state: transport, settled: of_transport(&settlement) },
        LayerStatus { layer: "session", state: session, settled: of_session(&settlement) },
        LayerStatus { layer: "presentation", state: presentation, settled: of_presentation(&settlement) },
        LayerStatus { layer: "ACSE", state: acse, settled: of_acse(&settlement) },
        LayerStatus {
            layer: "RTSE",
            state: reliable_transfer,
            settled: if is_bound { of_rtse(association, has_turn) } else { Vec::new() },
        },
    ]
}

fn value(name: &'static str, value: impl ToString) -> SettledValue {
    SettledValue { name, value: value.to_string() }
}

fn of_transport(settlement: &Settlement) -> Vec<SettledValue> {
    settlement.tpdu_octets.map(|octets| value("TPDU size", format!("{octets} octets"))).into_iter().collect()
}

fn of_session(settlement: &Settlement) -> Vec<SettledValue> {
    let Some(version) = settlement.session_version else { return Vec::new() };
    let segments = settlement.segment_octets;
    let mut settled = vec![
        value("version", version),
        value("segments", segments.map_or("none".to_owned(), |octets| format!("{octets} octets"))),
    ];
    settled.extend(settlement.connection.as_ref().map(|name| value("connection", name)));
    settled
}

fn of_presentation(settlement: &Settlement) -> Vec<SettledValue> {
    if settlement.contexts.is_empty() {
        return Vec::new();
    }
    if settlement.is_x410 {
        return vec![value("mode", "X.410-1984")];
    }
    let contexts = settlement.contexts.iter().map(|(context, syntax)| format!("{context}: {syntax}"));
    vec![value("mode", "normal"), value("contexts", contexts.collect::<Vec<_>>().join(", "))]
}

fn of_acse(settlement: &Settlement) -> Vec<SettledValue> {
    let is_idle = settlement.is_x410 && !settlement.contexts.is_empty();
    if is_idle { vec![value("PDUs", "none in X.410-1984 mode")] } else { Vec::new() }
}

fn of_rtse(association: &AssociationStatus, has_turn: bool) -> Vec<SettledValue> {
    let mut settled: Vec<SettledValue> =
        association.dialogue.iter().map(|dialogue| value("dialogue", dialogue)).collect();
    settled.push(value("turn", if has_turn { "ours" } else { "the peer's" }));
    let checkpoints = association.checkpoint_size_kb.map(|size| match size {
        0 => value("checkpoints", "none"),
        size => value("checkpoints", format!("every {size} KB")),
    });
    settled.extend(checkpoints);
    settled.extend(association.window_size.map(|window| value("window", window)));
    settled
}
