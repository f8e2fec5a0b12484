//! What kind of SPDU one is: its name, its category, and where it carries SS-user data.

use super::{Segmented, Spdu, UserData};

impl Spdu {
    /// Abbreviation as in X.225.
    pub fn name(&self) -> &'static str {
        match self {
            Spdu::Cn(_) => "CN",
            Spdu::Cdo { .. } => "CDO",
            Spdu::Oa { .. } => "OA",
            Spdu::Ac(_) => "AC",
            Spdu::Rf(_) => "RF",
            Spdu::Fn { .. } => "FN",
            Spdu::Dn { .. } => "DN",
            Spdu::Nf { .. } => "NF",
            Spdu::Ab { .. } => "AB",
            Spdu::Aa => "AA",
            Spdu::Gt { .. } => "GT",
            Spdu::Pt { .. } => "PT",
            Spdu::Gtc => "GTC",
            Spdu::Gta => "GTA",
            Spdu::Pr => "PR",
            Spdu::Dt { .. } => "DT",
            Spdu::As { .. } => "AS",
            Spdu::Ar { .. } => "AR",
            Spdu::Ai { .. } => "AI",
            Spdu::Aia => "AIA",
            Spdu::Ad { .. } => "AD",
            Spdu::Ada => "ADA",
            Spdu::Ae { .. } => "AE",
            Spdu::Map { .. } => "MAP",
            Spdu::Aea { .. } => "AEA",
            Spdu::Mip { .. } => "MIP",
            Spdu::Mia { .. } => "MIA",
            Spdu::Ed { .. } => "ED",
            Spdu::Er { .. } => "ER",
            Spdu::Segment { of, .. } => of.name(),
        }
    }

    /// The SS-user data that X.225 lets come in segments, other than that of DT, and in which SPDU it is.
    pub fn user(&self) -> Option<(Segmented, &UserData)> {
        match self {
            Spdu::Ac(ac) => Some((Segmented::Ac, &ac.user)),
            Spdu::Fn { user, .. } => Some((Segmented::Fn, user)),
            Spdu::Dn { user } => Some((Segmented::Dn, user)),
            Spdu::Nf { user } => Some((Segmented::Nf, user)),
            Spdu::Ab { user, .. } => Some((Segmented::Ab, user)),
            Spdu::Pt { user, .. } => Some((Segmented::Pt, user)),
            Spdu::As { user, .. } => Some((Segmented::As, user)),
            Spdu::Ar { user, .. } => Some((Segmented::Ar, user)),
            Spdu::Ae { user, .. } => Some((Segmented::Ae, user)),
            Spdu::Aea { user, .. } => Some((Segmented::Aea, user)),
            Spdu::Mip { user, .. } => Some((Segmented::Mip, user)),
            Spdu::Mia { user, .. } => Some((Segmented::Mia, user)),
            Spdu::Ed { user, .. } => Some((Segmented::Ed, user)),
            Spdu::Segment { of, user } => Some((*of, user)),
            Spdu::Cn(_)
            | Spdu::Cdo { .. }
            | Spdu::Oa { .. }
            | Spdu::Rf(_)
            | Spdu::Aa
            | Spdu::Gt { .. }
            | Spdu::Gtc
            | Spdu::Gta
            | Spdu::Pr
            | Spdu::Dt { .. }
            | Spdu::Ai { .. }
            | Spdu::Aia
            | Spdu::Ad { .. }
            | Spdu::Ada
            | Spdu::Map { .. }
            | Spdu::Er { .. } => None,
        }
    }

    /// As [`Spdu::user`], to be changed.
    pub fn user_mut(&mut self) -> Option<&mut UserData> {
        match self {
            Spdu::Ac(ac) => Some(&mut ac.user),
            Spdu::Fn { user, .. }
            | Spdu::Dn { user }
            | Spdu::Nf { user }
            | Spdu::Ab { user, .. }
            | Spdu::Pt { user, .. }
            | Spdu::As { user, .. }
            | Spdu::Ar { user, .. }
            | Spdu::Ae { user, .. }
            | Spdu::Aea { user, .. }
            | Spdu::Mip { user, .. }
            | Spdu::Mia { user, .. }
            | Spdu::Ed { user, .. }
            | Spdu::Segment { user, .. } => Some(user),
            Spdu::Cn(_)
            | Spdu::Cdo { .. }
            | Spdu::Oa { .. }
            | Spdu::Rf(_)
            | Spdu::Aa
            | Spdu::Gt { .. }
            | Spdu::Gtc
            | Spdu::Gta
            | Spdu::Pr
            | Spdu::Dt { .. }
            | Spdu::Ai { .. }
            | Spdu::Aia
            | Spdu::Ad { .. }
            | Spdu::Ada
            | Spdu::Map { .. }
            | Spdu::Er { .. } => None,
        }
    }

    /// The empty SPDU of category 0 that goes before this one in its TSDU, if it is of category 2: GT before
    /// what the holder of the turn sends, PT before what the other side sends. X.225 takes either; some peers
    /// do not.
    pub(super) fn leader(&self) -> Option<Spdu> {
        match self {
            Spdu::Dt { .. }
            | Spdu::As { .. }
            | Spdu::Ar { .. }
            | Spdu::Ai { .. }
            | Spdu::Ad { .. }
            | Spdu::Ae { .. }
            | Spdu::Map { .. }
            | Spdu::Mip { .. }
            | Spdu::Segment { of: Segmented::As | Segmented::Ar | Segmented::Ae | Segmented::Mip, .. } => {
                Some(Spdu::Gt { tokens: 0 })
            }
            Spdu::Aia
            | Spdu::Ada
            | Spdu::Aea { .. }
            | Spdu::Mia { .. }
            | Spdu::Ed { .. }
            | Spdu::Er { .. }
            | Spdu::Segment { of: Segmented::Aea | Segmented::Mia | Segmented::Ed, .. } => {
                Some(Spdu::Pt { tokens: 0, user: UserData::default() })
            }
            Spdu::Cn(_)
            | Spdu::Cdo { .. }
            | Spdu::Oa { .. }
            | Spdu::Ac(_)
            | Spdu::Rf(_)
            | Spdu::Fn { .. }
            | Spdu::Dn { .. }
            | Spdu::Nf { .. }
            | Spdu::Ab { .. }
            | Spdu::Aa
            | Spdu::Gt { .. }
            | Spdu::Pt { .. }
            | Spdu::Gtc
            | Spdu::Gta
            | Spdu::Pr
            | Spdu::Segment {
                of:
                    Segmented::Ac | Segmented::Fn | Segmented::Dn | Segmented::Nf | Segmented::Ab | Segmented::Pt,
                ..
            } => None,
        }
    }
}

impl Segmented {
    /// Abbreviation of the SPDU as in X.225.
    pub fn name(self) -> &'static str {
        match self {
            Segmented::Ac => "AC",
            Segmented::Fn => "FN",
            Segmented::Dn => "DN",
            Segmented::Nf => "NF",
            Segmented::Ab => "AB",
            Segmented::Pt => "PT",
            Segmented::As => "AS",
            Segmented::Ar => "AR",
            Segmented::Ae => "AE",
            Segmented::Aea => "AEA",
            Segmented::Mip => "MIP",
            Segmented::Mia => "MIA",
            Segmented::Ed => "ED",
        }
    }
}
